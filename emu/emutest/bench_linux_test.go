// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/emu/interp"
	"github.com/uefiexec/uefiexec/protocols"
)

// start opens a machine and boots an image, which must exit boot services.
func start(b *testing.B, engine cpu.New, image []byte, path string, volume string) *emu.Handoff {
	b.Helper()
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: engine, Clock: emu.VirtualClock(time.Unix(0, 0))})
	if err != nil {
		b.Fatal(err)
	}
	platform := protocols.Platform{}
	if volume != "" {
		platform.Volume = os.DirFS(volume)
	}
	device, err := platform.Install(m)
	if err != nil {
		b.Fatal(err)
	}
	h, err := m.Boot(context.Background(), bytes.NewReader(image), emu.BootOptions{
		Device: device, Path: efi.DevicePath{efi.FilePath(path)},
	})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// childTime is the processor time of the children that have ended.
func childTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkUKI takes a 6.12 unified kernel image with its sidecars to
// ExitBootServices. overhead-% is the share of the wall time in which the child,
// that is the image itself, did not run: at most 10 is the goal. beyond-MiB is what
// the process holds beside the guest's touched pages.
func BenchmarkUKI(b *testing.B) {
	esp := emutest.Corpus(b, "trixie/amd64/esp")
	image, err := os.ReadFile(filepath.Join(esp, "EFI/Linux/uki.efi"))
	if err != nil {
		b.Fatal(err)
	}
	engine := emutest.Engine(b, cpu.AMD64)
	var wall, guest time.Duration
	var private float64
	for b.Loop() {
		before, began := childTime(b), time.Now()
		h := start(b, engine, image, `\EFI\Linux\uki.efi`, esp)
		wall += time.Since(began)
		guest += childTime(b) - before
		private = max(private, anonymous(b))
		h.Close()
	}
	b.ReportMetric(100*float64(wall-guest)/float64(wall), "overhead-%")
	b.ReportMetric(float64(guest.Milliseconds())/float64(b.N), "guest-ms/op")
	b.ReportMetric(private, "beyond-MiB")
}

// anonymous is the process's own memory in MiB: not the guest's, which is a
// shared file.
func anonymous(b *testing.B) float64 {
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	b.Fatal("no RssAnon in /proc/self/status")
	return 0
}

// BenchmarkDemo is the start of a machine with the demonstration, from Open to
// the Handoff: under 10 ms is the goal.
func BenchmarkDemo(b *testing.B) {
	image, err := payloads.Demo("x64")
	if err != nil {
		b.Fatal(err)
	}
	engine := emutest.Engine(b, cpu.AMD64)
	for b.Loop() {
		start(b, engine, image, `\demo.efi`, "").Close()
	}
}

// BenchmarkInterpretedUKI takes a 6.12 unified kernel image to ExitBootServices
// on the interpreter, and QEMU with OVMF through it to the kernel's first line on the serial
// console; x-qemu is the ratio of processor times.
func BenchmarkInterpretedUKI(b *testing.B) {
	image, err := os.ReadFile(emutest.Corpus(b, "trixie/amd64/uki.efi"))
	if err != nil {
		b.Fatal(err)
	}
	var ours time.Duration
	for b.Loop() {
		before := ownTime(b)
		start(b, interp.New, image, `\EFI\BOOT\BOOTX64.EFI`, "").Close()
		ours += ownTime(b) - before
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "cpu-s/op")
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		b.Log(err)
		return
	}
	esp := filepath.Join(b.TempDir(), "esp")
	boot := filepath.Join(esp, "EFI/BOOT")
	if err := errors.Join(os.MkdirAll(boot, 0o755), os.WriteFile(filepath.Join(boot, "BOOTX64.EFI"), image, 0o644)); err != nil {
		b.Fatal(err)
	}
	theirs := firmwareTime(b, esp)
	b.ReportMetric(theirs.Seconds(), "qemu-cpu-s")
	b.ReportMetric(ours.Seconds()/float64(b.N)/theirs.Seconds(), "x-qemu")
}

// BenchmarkGRUB takes GRUB from a folder through its configuration to its kernel's
// ExitBootServices, and QEMU with OVMF to the kernel's first line; x-qemu is the
// ratio of processor times.
func BenchmarkGRUB(b *testing.B) {
	esp := emutest.Corpus(b, "trixie/amd64/esp-grub")
	engine := emutest.Engine(b, cpu.AMD64)
	times := func() time.Duration { return ownTime(b) + childTime(b) }
	var ours time.Duration
	for b.Loop() {
		before := times()
		managed(b, engine, emu.BootManagerOptions{}, protocols.Platform{Volume: os.DirFS(esp), MakeDisk: true}).Close()
		ours += times() - before
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "cpu-s/op")
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		b.Log(err)
		return
	}
	theirs := firmwareTime(b, esp)
	b.ReportMetric(theirs.Seconds(), "qemu-cpu-s")
	b.ReportMetric(ours.Seconds()/float64(b.N)/theirs.Seconds(), "x-qemu")
}

// managed boots what the boot manager finds, which must exit boot services.
func managed(b *testing.B, engine cpu.New, opts emu.BootManagerOptions, platform protocols.Platform) *emu.Handoff {
	b.Helper()
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: engine, Clock: emu.VirtualClock(time.Unix(0, 0))})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := platform.Install(m); err != nil {
		b.Fatal(err)
	}
	h, err := m.BootManager(context.Background(), opts)
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// firstMenu is a console that notes when a word is first on it.
type firstMenu struct {
	word string
	seen []byte
	at   time.Time
}

func (f *firstMenu) Write(p []byte) (int, error) {
	if f.at.IsZero() {
		if f.seen = append(f.seen, p...); bytes.Contains(f.seen, []byte(f.word)) {
			f.at = time.Now()
		}
	}
	return len(p), nil
}

// BenchmarkMenu is the time from opening a machine to the menu of systemd-boot and of
// GRUB.
func BenchmarkMenu(b *testing.B) {
	kernel, err := os.ReadFile(emutest.Corpus(b, "trixie/amd64/vmlinuz"))
	if err != nil {
		b.Fatal(err)
	}
	engine := emutest.Engine(b, cpu.AMD64)
	for name, loader := range map[string]struct{ program, config, text string }{
		"systemd-boot": {"systemd-boot.efi", "loader/entries/one.conf", "title The kernel\nlinux /vmlinuz\n"},
		"GRUB":         {"grub.efi", "EFI/debian/grub.cfg", "set timeout=1\nmenuentry \"The kernel\" {\n linux /vmlinuz\n}\n"},
	} {
		program, err := os.ReadFile(emutest.Corpus(b, "trixie/amd64/"+loader.program))
		if err != nil {
			b.Fatal(err)
		}
		volume := fstest.MapFS{
			"EFI/BOOT/BOOTX64.EFI": {Data: program}, "vmlinuz": {Data: kernel}, loader.config: {Data: []byte(loader.text)},
			"loader/loader.conf": {Data: []byte("timeout 1\n")},
		}
		b.Run(name, func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				console := &firstMenu{word: "The kernel"}
				start := time.Now()
				managed(b, engine, emu.BootManagerOptions{}, protocols.Platform{Volume: volume, MakeDisk: true, Out: console}).Close()
				if console.at.IsZero() {
					b.Fatalf("no menu:\n%s", console.seen)
				}
				took += console.at.Sub(start)
			}
			b.ReportMetric(took.Seconds()*1e3/float64(b.N), "ms/menu")
		})
	}
}

// ownTime is the processor time of this process.
func ownTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// firmwareTime is the processor time of QEMU until the kernel of a volume speaks.
func firmwareTime(b *testing.B, esp string) time.Duration {
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", "1024",
		"-cpu", "max,la57=off,cx16=off", // QEMU 7.2 corrupts flags at cmpxchg16b
		"-nodefaults", "-no-user-config", "-display", "none", "-net", "none", "-no-reboot", "-serial", "stdio",
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+emutest.Corpus(b, "trixie/amd64/OVMF_CODE.fd"),
		"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file="+emutest.Corpus(b, "trixie/amd64/OVMF_VARS.fd"),
		"-drive", "if=virtio,format=raw,readonly=on,file=fat:"+esp)
	cmd.Stderr = os.Stderr
	console, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	var seen []byte
	for lines := bufio.NewReader(console); err == nil && !bytes.Contains(seen, []byte("Linux version ")); {
		var line []byte
		line, err = lines.ReadBytes('\n')
		seen = append(seen, line...)
	}
	cmd.Process.Kill()
	cmd.Wait() // that it was killed
	if err != nil {
		b.Fatalf("%v\n%s", err, seen)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

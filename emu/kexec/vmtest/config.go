// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"strings"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// Firmware is what starts the first kernel.
type Firmware uint8

// The firmwares. AArch64 has no SeaBIOS: QEMU starts the kernel itself, with a
// device tree.
const (
	SeaBIOS Firmware = iota
	OVMF             // AAVMF on AArch64; from the corpus
)

// Config is a machine, what it boots, and what ends it. Zero values are useful
// but for Kernel.
type Config struct {
	Arch      cpu.Arch // 0 is x86-64
	Kernel    string   // path here
	Initramfs string   // path here, of what Build has made
	Cmdline   string   // "" is Cmdline(Arch, "first")
	Memory    int      // MiB; 0 is 1024
	CPUs      int      // 0 is 1
	Firmware  Firmware
	LA57      bool          // the processor has five-level paging; x86-64 only
	Board     string        // options of QEMU's board, such as "acpi=off"
	TPM       bool          // a TPM 2.0, by swtpm
	Args      []string      // further arguments of QEMU
	Timeout   time.Duration // 0 is five minutes; the test's own deadline also counts

	// Until ends the run, well, as soon as it matches in a line of the console.
	// Without it, that is init's to do, by poweroff.
	Until string
	// Panic matches the lines of panics that are meant. Others end the run.
	Panic string
	// Answers are typed on the console, in order, each when its question is seen.
	Answers []Answer
}

// Answer is something to type.
type Answer struct {
	Question string // a regular expression, looked for in what was printed since the last answer
	Text     string // with "\r" for the return key
}

// Cmdline is a command line for a kernel of arch: the console that is watched,
// the end of the machine at a panic, the script's name, and more.
func Cmdline(arch cpu.Arch, script string, more ...string) string {
	words := []string{"console=" + boardOf(arch).console, "panic=-1", "vmtest=" + script}
	if arch == cpu.ARM64 {
		// kexec_load takes hundreds of pages for page tables there, and for each it
		// walks over all free pages that the next kernel is to lie in, if they happen
		// to be the first ones: minutes, in QEMU. At a random address they happen to
		// be at every sixth boot.
		words = append(words, "nokaslr")
	}
	return strings.Join(append(words, more...), " ")
}

// board is what differs between the architectures.
type board struct {
	qemu, machine, cpu string
	goarch, deb        string
	console            string
	port               string // the device that init speaks on
	code, vars         string // firmware, in the corpus
}

func boardOf(arch cpu.Arch) board {
	if arch == cpu.ARM64 {
		return board{
			qemu: "qemu-system-aarch64", machine: "virt", cpu: "max,lpa2=off",
			goarch: "arm64", deb: "arm64", console: "ttyAMA0", port: "pci-serial",
			code: "trixie/arm64/AAVMF_CODE.fd", vars: "trixie/arm64/AAVMF_VARS.fd",
		}
	}
	return board{
		// QEMU 7.2 corrupts flags at cmpxchg16b.
		qemu: "qemu-system-x86_64", machine: "q35", cpu: "max,cx16=off",
		goarch: "amd64", deb: "amd64", console: "ttyS0", port: "isa-serial",
		code: "trixie/amd64/OVMF_CODE.fd", vars: "trixie/amd64/OVMF_VARS.fd",
	}
}

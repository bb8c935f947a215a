// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-attestation/attest"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// measured runs measure -json and reads what it prints.
func measured(t *testing.T, args ...string) (o output) {
	t.Helper()
	got := invoked(t, append([]string{"measure", "-json"}, args...)...)
	if got.code != exitDone {
		t.Fatalf("%q: exit code %d: %s", args, got.code, got.err)
	}
	if err := json.Unmarshal([]byte(got.out), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// demoFile is the demonstration as a file.
func demoFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(folder(t, map[string][]byte{"demo.efi": payload(t, "demo")}), "demo.efi")
}

// TestMeasure measures the demonstration, and its log, as a file, is read by others
// to the PCRs that are printed.
func TestMeasure(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	image := demoFile(t)
	log := filepath.Join(t.TempDir(), "log")
	o := measured(t, "-o", log, image)
	if o.Result != "exit-boot-services" || len(o.NotPredictable) != 0 || len(o.PCRs) != 4 {
		t.Errorf("%+v", o)
	}
	parsed, err := pecoff.Parse(bytes.NewReader(payload(t, "demo")), int64(len(payload(t, "demo"))))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := parsed.Authenticode(pecoff.AsIs, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(o.Events, func(e eventJSON) bool { return e.Origin == originBoot })
	if at < 0 || o.Events[at].PCR != 4 || o.Events[at].Type != 0x80000003 || o.Events[at].Digests["sha256"] != hex.EncodeToString(sums[0]) {
		t.Errorf("the first event of the boot: %d in %+v", at, o.Events)
	}
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	replayWithAttestation(t, raw, o.PCRs["sha256"])
	replayWithTools(t, log, o.PCRs)
}

// replayWithAttestation has go-attestation verify a log against PCRs.
func replayWithAttestation(t *testing.T, raw []byte, pcrs map[string]string) {
	t.Helper()
	log, err := attest.ParseEventLog(raw)
	if err != nil {
		t.Fatal(err)
	}
	var real []attest.PCR
	for n, value := range pcrs {
		index, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := hex.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		real = append(real, attest.PCR{Index: index, Digest: digest, DigestAlg: crypto.SHA256})
	}
	if events, err := log.Verify(real); err != nil || len(events) < 10 {
		t.Errorf("go-attestation: %d events, %v", len(events), err)
	}
}

// toolPCR is a line of tpm2_eventlog's replay.
var toolPCR = regexp.MustCompile(`^\s+(\d+)\s+: 0x([0-9A-Fa-f]+)$`)

// replayWithTools has tpm2_eventlog replay a log.
func replayWithTools(t *testing.T, name string, pcrs map[string]map[string]string) {
	t.Helper()
	if _, err := exec.LookPath("tpm2_eventlog"); err != nil {
		emutest.Skip(t, "%v", err)
	}
	out, err := exec.CommandContext(t.Context(), "tpm2_eventlog", name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bank, seen := "", 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), ":"); ok && pcrs[name] != nil {
			bank = name
		}
		if m := toolPCR.FindStringSubmatch(line); m != nil {
			seen++
			if want := pcrs[bank][m[1]]; !strings.EqualFold(m[2], want) {
				t.Errorf("tpm2_eventlog: %s PCR %s is %s, want %s", bank, m[1], m[2], want)
			}
		}
	}
	if seen < 4*6 {
		t.Errorf("tpm2_eventlog has replayed %d PCRs:\n%s", seen, out)
	}
}

// TestMeasureIsTheSame: neither the folder, nor the environment, nor the time
// changes what is printed.
func TestMeasureIsTheSame(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	first := invoked(t, "measure", demoFile(t))
	t.Chdir(t.TempDir())
	t.Setenv("TZ", "Asia/Tokyo")
	t.Setenv("HOME", t.TempDir())
	if second := invoked(t, "measure", demoFile(t)); first != second || first.code != exitDone || !strings.Contains(first.out, "EV_EFI_BOOT_SERVICES_APPLICATION") {
		t.Errorf("%+v\n%+v", first, second)
	}
}

func TestMeasureFiles(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	image, dir := demoFile(t), t.TempDir()
	log, component := filepath.Join(dir, "log"), filepath.Join(dir, "x.pcrlock")
	one := measured(t, "-bank", "sha256", "-policy", "4,5", "-pcrlock", component, "-o", log, "-phase", "enter-initrd:leave-initrd", image)
	if len(one.PCRs) != 1 || len(one.Policies["sha256"]) != 64 {
		t.Errorf("%v, %v", one.PCRs, one.Policies)
	}
	eleven := eventlog.SHA256.Extend(make([]byte, 32), eventlog.SHA256.Sum([]byte("enter-initrd")))
	eleven = eventlog.SHA256.Extend(eleven, eventlog.SHA256.Sum([]byte("leave-initrd")))
	if got := one.PCRs["sha256"]["11"]; got != hex.EncodeToString(eleven) {
		t.Errorf("PCR 11 is %s, want %x", got, eleven)
	}
	var lock struct {
		Records []struct {
			PCR     int
			Digests []struct{ HashAlg, Digest string }
		}
	}
	raw, err := os.ReadFile(component)
	if err == nil {
		err = json.Unmarshal(raw, &lock)
	}
	if err != nil || len(lock.Records) < 3 || lock.Records[0].PCR != 4 || lock.Records[0].Digests[0].HashAlg != "sha256" {
		t.Errorf("%s, %v", raw, err)
	}
	// A log is what its own boot measures, and what another one does not.
	if same := invoked(t, "measure", "-bank", "sha256", "-phase", "enter-initrd:leave-initrd", "-compare", log, image); !strings.Contains(same.out, "the real boot measured what was predicted") {
		t.Errorf("compared with itself: %s%s", same.out, same.err)
	}
	other := filepath.Join(folder(t, map[string][]byte{"exit.efi": payload(t, "exit")}), "exit.efi")
	if diff := invoked(t, "measure", "-bank", "sha256", "-compare", log, other); !strings.Contains(diff.out, "PCR 4: another image was loaded") {
		t.Errorf("compared with another: %s%s", diff.out, diff.err)
	}
	// The firmware's part of a log goes before another boot.
	from := measured(t, "-bank", "sha256", "-firmware-log", log, "-phase", "enter-initrd:leave-initrd", image)
	if from.Firmware != "from "+log || from.PCRs["sha256"]["4"] != one.PCRs["sha256"]["4"] || len(from.Events) != len(one.Events) {
		t.Errorf("with the firmware's log: %q, %d events", from.Firmware, len(from.Events))
	}
}

// TestMeasureMistakes: each is a clear error.
func TestMeasureMistakes(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	image := demoFile(t)
	log := filepath.Join(t.TempDir(), "log")
	measured(t, "-bank", "sha256", "-o", log, image)
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string][]byte{"cut": raw[:len(raw)-3], "empty": nil, "head": raw[:32+33], "text": []byte("no log at all, but text that is long enough")})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"no image", nil, exitUsage, "IMAGE"},
		{"bank", []string{"-bank", "md5", image}, exitUsage, "md5"},
		{"PCR", []string{"-policy", "4,24", image}, exitUsage, `"24"`},
		{"phase", []string{"-phase", "a\nb", image}, exitUsage, "-phase"},
		{"no such log", []string{"-firmware-log", in("none"), image}, exitHost, "none"},
		{"a log that is cut", []string{"-firmware-log", in("cut"), image}, exitHost, "ends early"},
		{"an empty log", []string{"-compare", in("empty"), image}, exitHost, "empty"},
		{"no log", []string{"-firmware-log", in("text"), image}, exitHost, "text"},
		{"a log without separators", []string{"-firmware-log", in("head"), image}, exitHost, "separator"},
		{"a bank that the log has not", []string{"-bank", "sha512", "-firmware-log", log, image}, exitHost, "sha512"},
		{"a disk without partitions", []string{"-disk", in("text"), image}, exitHost, "no partitions"},
		{"variables", []string{"-vars", in("text"), image}, exitHost, "text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := invoked(t, append([]string{"measure"}, test.args...)...)
			if got.code != test.code || !strings.Contains(got.err, test.text) {
				t.Errorf("exit code %d, want %d: %s", got.code, test.code, got.err)
			}
		})
	}
}

// TestMeasureUKI holds PCR 11 against systemd-measure, for the sections as they
// are in the image, and the logs of all stubs against tpm2_eventlog.
func TestMeasureUKI(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			esp := emutest.Corpus(t, suite+"/amd64/esp")
			image := filepath.Join(esp, "EFI/Linux/uki.efi")
			log := filepath.Join(t.TempDir(), "log")
			o := measured(t, "-seed", "x", "-o", log, "-esp", esp, image)
			replayWithTools(t, log, o.PCRs)
			if suite == "bookworm" {
				return // its stub measures other sections than systemd-measure of today
			}
			want := systemdMeasure(t, image)
			if got := o.PCRs["sha256"]["11"]; got != want {
				t.Errorf("PCR 11 is %s, and systemd-measure says %s", got, want)
			}
		})
	}
}

// systemdMeasure is what systemd-measure says of the sections of an image.
func systemdMeasure(t *testing.T, image string) string {
	t.Helper()
	raw, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	im, err := pecoff.Parse(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"calculate", "--bank=sha256", "--phase=:"}
	for _, name := range []string{"linux", "osrel", "cmdline", "initrd", "uname", "sbat"} {
		s, ok := im.Section("." + name)
		if !ok {
			t.Fatalf("no .%s", name)
		}
		data := make([]byte, s.MappedSize())
		if _, err := im.Mapped(s).ReadAt(data, 0); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--"+name+"="+file)
	}
	out, err := exec.CommandContext(t.Context(), emutest.Corpus(t, ".tools/systemd-measure"), args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, sum, ok := strings.Cut(strings.TrimSpace(string(out)), "11:sha256=")
	if !ok {
		t.Fatalf("%s", out)
	}
	return sum
}

// TestMeasureBootSecret: what systemd's stub 262 makes of random numbers comes out
// the same for the same seed, and is marked without one; earlier stubs make nothing.
func TestMeasureBootSecret(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	for suite, random := range map[string]bool{"trixie": false, "sid": true} {
		esp := emutest.Corpus(t, suite+"/amd64/esp")
		args := []string{"-bank", "sha256", "-esp", esp, filepath.Join(esp, "EFI/Linux/uki.efi")}
		o := measured(t, args...)
		if want := []uint32{9}; random != slices.Equal(o.NotPredictable, want) || !random && o.NotPredictable != nil {
			t.Errorf("%s: not predictable are %v", suite, o.NotPredictable)
		}
		if _, there := o.PCRs["sha256"]["9"]; there == random {
			t.Errorf("%s: a value for PCR 9: %v", suite, there)
		}
		nine := func(seed string) string {
			return measured(t, append([]string{"-seed", seed}, args...)...).PCRs["sha256"]["9"]
		}
		if a, again, b := nine("a"), nine("a"), nine("b"); a == "" || a != again || (a == b) == random {
			t.Errorf("%s: PCR 9 is %s and %s for one seed, %s for another", suite, a, again, b)
		}
		if random {
			for _, flag := range []string{"-policy=9", "-pcrlock=" + filepath.Join(t.TempDir(), "lock")} {
				if got := invoked(t, append([]string{"measure", flag}, args...)...); got.code != exitHost || !strings.Contains(got.err, "random numbers") {
					t.Errorf("%s: exit code %d: %s", flag, got.code, got.err)
				}
			}
		}
	}
}

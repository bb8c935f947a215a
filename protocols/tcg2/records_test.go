// SPDX-License-Identifier: BSD-3-Clause

package tcg2_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/interp/a64"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/tcg2"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// record is what a boot on real firmware has measured.
type record struct {
	Sidecars []struct{ ESP, Src string }
	PCRs     map[string]map[string]string
	Events   []recorded
}

type recorded struct {
	PCR     uint32
	Type    uint32 `json:"type_id"`
	Digests map[string]string
	Data    string
	Origin  string
}

// event is a recorded event as ours are.
func (r recorded) event(t *testing.T) eventlog.Event {
	t.Helper()
	e := eventlog.Event{PCR: r.PCR, Type: eventlog.EventType(r.Type), Data: unhex(t, r.Data)}
	for _, a := range tcg2.DefaultBanks() {
		e.Digests = append(e.Digests, eventlog.Digest{Algorithm: a, Sum: unhex(t, r.Digests[a.String()])})
	}
	return e
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readRecord(t *testing.T, name string) (r record) {
	t.Helper()
	raw, err := os.ReadFile(emutest.Truth(t, "json/"+name+".json"))
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// recordedFile finds a file of the records: they lie in folders there that the
// names in the records are not of.
func recordedFile(t *testing.T, src string) []byte {
	t.Helper()
	if !strings.HasPrefix(src, "side/") {
		src = path.Base(src)
	}
	data, err := os.ReadFile(emutest.Truth(t, src))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// esp is the file system that the record's boot was from.
func (r record) esp(t *testing.T) fs.FS {
	t.Helper()
	volume := fstest.MapFS{}
	for _, s := range r.Sidecars {
		volume[strings.TrimPrefix(s.ESP, "/")] = &fstest.MapFile{Data: recordedFile(t, s.Src), ModTime: time.Unix(0, 0)}
	}
	return volume
}

// disk is a disk with the partition table that the record has as an event: the
// header in sector 1, the entries behind it.
func (r record) disk(t *testing.T) []byte {
	t.Helper()
	for _, e := range r.Events {
		if eventlog.EventType(e.Type) == eventlog.EFIGPTEvent {
			const sector, header = 512, 92
			data := unhex(t, e.Data)
			disk := make([]byte, 100<<20)
			copy(disk[sector:], data[:header])
			copy(disk[2*sector:], data[header+8:])
			return disk
		}
	}
	t.Fatal("the record has no partition table")
	return nil
}

// bootRecorded boots what the record's boot was of.
func bootRecorded(t *testing.T, r record, arch cpu.Arch, opts tcg2.Options) (*tcg2.TPM, *emu.Handoff) {
	t.Helper()
	disk := r.disk(t)
	layout, err := protocols.ReadDiskLayout(bytes.NewReader(disk), int64(len(disk)), 0)
	if err != nil {
		t.Fatal(err)
	}
	part, ok := layout.System()
	if !ok {
		t.Fatal("no ESP")
	}
	opts.GPT = layout.GPT.EventData()
	tpm, err := tcg2.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	engine := cpu.New(a64.New)
	if arch != cpu.ARM64 {
		engine = emutest.Engine(t, arch)
	}
	m, err := emu.Open(emu.Config{Arch: arch, Engine: engine, Measurer: tpm, Clock: emu.VirtualClock(time.Unix(0, 0))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	slot := uint8(1)
	if arch == cpu.ARM64 {
		// The firmware of these records was built for Secure Boot, in setup mode, and
		// the disk was in another slot.
		slot = 2
		attrs := efi.VariableBootServiceAccess | efi.VariableRuntimeAccess
		if err := m.Variables().Set("SecureBoot", efi.GlobalVariableGUID, attrs, []byte{0}); err != nil {
			t.Fatal(err)
		}
	}
	platform := protocols.Platform{Volume: r.esp(t), MakeDisk: true, Disk: efi.DevicePath{efi.PCIRoot(0), efi.PCI(slot, 0)}.Append(part.Path...)}
	device, err := platform.Install(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := tpm.Install(m); err != nil {
		t.Fatal(err)
	}
	if opts.Log == nil {
		if err := tpm.Firmware(m.Variables()); err != nil {
			t.Fatal(err)
		}
	}
	file := "/EFI/BOOT/BOOTX64.EFI"
	if arch == cpu.ARM64 {
		file = "/EFI/BOOT/BOOTAA64.EFI"
	}
	image, err := fs.ReadFile(platform.Volume, file[1:])
	if err != nil {
		t.Fatal(err)
	}
	h, err := m.Boot(context.Background(), bytes.NewReader(image), emu.BootOptions{
		Device: device, Path: efi.DevicePath{efi.FilePath(strings.ReplaceAll(file, "/", `\`))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return tpm, h
}

// sameData compares event data but for addresses: where the file of an image lay,
// and nothing else, is the machine's.
func sameData(ours, theirs eventlog.Event) bool {
	a, b := bytes.Clone(ours.Data), bytes.Clone(theirs.Data)
	switch ours.Type {
	case eventlog.EFIBootServicesApplication, eventlog.EFIBootServicesDriver, eventlog.EFIRuntimeServicesDriver:
		if len(a) < 8 || len(b) < 8 {
			return false
		}
		clear(a[:8])
		clear(b[:8])
	}
	return bytes.Equal(a, b)
}

// TestTruth boots what real firmware has booted, and compares all that was
// measured from the loading of the image on.
func TestTruth(t *testing.T) {
	for _, name := range []string{
		"x64-t-uki-plain", "x64-t-uki-sidecars", "x64-t-sdboot-uki-sidecars", "x64-t-shim-grub",
		"aa64-t-uki-plain", "aa64-t-uki-sidecars",
	} {
		t.Run(name, func(t *testing.T) {
			r := readRecord(t, name)
			arch := cpu.AMD64
			if strings.HasPrefix(name, "aa64") {
				arch = cpu.ARM64
			}
			tpm, h := bootRecorded(t, r, arch, tcg2.Options{})
			var want []eventlog.Event
			for _, e := range r.Events {
				if e.Origin == "payload-or-loading" {
					want = append(want, e.event(t))
				}
			}
			got := tpm.Events()
			for i := range max(len(got), len(want)) {
				switch {
				case i >= len(got):
					t.Errorf("missing: %+v", want[i])
				case i >= len(want):
					t.Errorf("beyond: %+v", got[i])
				case !equalEvent(got[i], want[i]):
					t.Errorf("event %d: %s\n%x\nwant %s\n%x", i, got[i].Describe(), got[i].Append(nil), want[i].Describe(), want[i].Append(nil))
				}
			}
			if len(got) < 10 {
				t.Errorf("%d events", len(got))
			}
			if len(h.Measurements) != len(got) {
				t.Errorf("the handoff has %d measurements of %d", len(h.Measurements), len(got))
			}
			// What the machine adds itself is in PCR 0 to 3 alone, and user space has
			// extended 10: the others come out as there.
			pcrs := tpm.PCRs()
			for bank, values := range r.PCRs {
				a, err := eventlog.ParseAlgorithm(bank)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range []int{4, 5, 7, 8, 9, 11, 12, 13, 14} {
					if got, want := hex.EncodeToString(pcrs[a][n]), values[itoa(n)]; got != want {
						t.Errorf("%s PCR %d is %s, want %s", bank, n, got, want)
					}
				}
			}
		})
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func equalEvent(a, b eventlog.Event) bool {
	if a.PCR != b.PCR || a.Type != b.Type || len(a.Digests) != len(b.Digests) || !sameData(a, b) {
		return false
	}
	for _, d := range a.Digests {
		if !bytes.Equal(d.Sum, b.Digest(d.Algorithm)) {
			return false
		}
	}
	return true
}

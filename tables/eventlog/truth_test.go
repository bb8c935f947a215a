// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// record is a boot of a machine: the events of its log, and the PCRs that its
// kernel read.
type record struct {
	Run    string
	PCRs   map[string]map[string]string
	Events []struct {
		PCR      uint32
		TypeID   uint32 `json:"type_id"`
		Digests  json.RawMessage
		Desc     string
		Data     string
		Preimage string
		Origin   string
	}
}

func readRecords(t *testing.T) []record {
	t.Helper()
	root := os.Getenv("UEFIEXEC_TRUTH")
	if root == "" {
		t.Skip("UEFIEXEC_TRUTH is not set")
	}
	files, err := filepath.Glob(filepath.Join(root, "json", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no records in %s: %v", root, err)
	}
	var all []record
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, r)
	}
	return all
}

// raw is the log as firmware keeps it, written field by field.
func (r *record) raw(t *testing.T) []byte {
	t.Helper()
	head := unhex(t, r.Events[0].Data)
	b := pack(uint32(0), uint32(3), make([]byte, 20), uint32(len(head)), head)
	for _, e := range r.Events[1:] {
		digests := map[string]string{}
		if len(e.Digests) > 2 { // "[]" and "{}" are none
			if err := json.Unmarshal(e.Digests, &digests); err != nil {
				t.Fatalf("%s: %v", r.Run, err)
			}
		}
		b = pack(b, e.PCR, e.TypeID, uint32(len(digests)))
		for _, bank := range []struct {
			name string
			id   uint16
		}{{"sha1", 4}, {"sha256", 0xb}, {"sha384", 0xc}, {"sha512", 0xd}} {
			if sum, ok := digests[bank.name]; ok {
				b = pack(b, bank.id, unhex(t, sum))
			}
		}
		data := unhex(t, e.Data)
		b = pack(b, uint32(len(data)), data)
	}
	return b
}

func (r *record) log(t *testing.T) *Log {
	t.Helper()
	l, err := Parse(r.raw(t))
	if err != nil || len(l.Events) != len(r.Events)-1 {
		t.Fatalf("%s: %d events, %v", r.Run, len(l.Events), err)
	}
	return l
}

func TestReplayTruth(t *testing.T) {
	const ima = 10 // which the kernel extends later
	for _, r := range readRecords(t) {
		l := r.log(t)
		if got := l.Append(nil); !bytes.Equal(got, r.raw(t)) {
			t.Errorf("%s: the log is written otherwise", r.Run)
		}
		compared := 0
		for a, bank := range l.Replay() {
			for pcr, want := range r.PCRs[a.String()] {
				n, err := strconv.Atoi(pcr)
				if err != nil {
					t.Fatal(err)
				}
				if n == ima {
					continue
				}
				compared++
				if got := hex.EncodeToString(bank[n]); got != want {
					t.Errorf("%s: PCR %d of %v is %s, want %s", r.Run, n, a, got, want)
				}
			}
		}
		if want := len(r.PCRs) * (Registers - 1); want == 0 || compared != want {
			t.Errorf("%s: %d PCRs compared, want %d", r.Run, compared, want)
		}
		if before := l.Before(); r.Events[before+1].Origin != "payload-or-loading" && r.Events[before+1].TypeID != uint32(EFIVariableAuthority) || r.Events[before].Origin == "payload-or-loading" {
			t.Errorf("%s: %d events are before", r.Run, before)
		}
	}
}

func TestDescribeTruth(t *testing.T) {
	names, contents := 0, 0
	for _, r := range readRecords(t) {
		l := r.log(t)
		for i := range l.Events {
			e, told := &l.Events[i], r.Events[i+1]
			line := e.Describe()
			checkLine(t, line, maxLine+1)
			// Texts are in the description, without what tells of their kind.
			for _, prefix := range []string{`ascii:"`, `u16:"`} {
				_, text, ok := strings.Cut(told.Desc, prefix)
				text, _, _ = strings.Cut(text, `"`)
				_, text2, _ := strings.Cut(text, ": ")
				if ok && e.Type != EventTag && len(text) < maxValue && !strings.Contains(line, text) && (text2 == "" || !strings.Contains(line, text2)) {
					t.Errorf("%s: %d is %s, want %s", r.Run, i, line, text)
				}
			}
			switch {
			case strings.HasPrefix(told.Preimage, `sha256(".`):
				names++
				if !strings.HasPrefix(line, "name of section .") {
					t.Errorf("%s: %d is %s, want %s", r.Run, i, line, told.Preimage)
				}
			case strings.Contains(told.Preimage, " section["):
				contents++
				if !strings.HasPrefix(line, "contents of section .") {
					t.Errorf("%s: %d is %s, want %s", r.Run, i, line, told.Preimage)
				}
			case e.Type == EFIBootServicesApplication && !strings.HasPrefix(line, "image ") && !strings.HasPrefix(line, "the kernel inside"),
				strings.HasPrefix(line, "EV_") && e.Type != PlatformConfigFlags:
				t.Errorf("%s: %d is %s, want %s", r.Run, i, line, told.Desc)
			}
		}
	}
	if names == 0 || names != contents {
		t.Errorf("%d names and %d contents of sections", names, contents)
	}
}

// TestCompareTruth compares a boot without files beside the image to one with
// some, of the same image on the same machine.
func TestCompareTruth(t *testing.T) {
	logs := map[string]*Log{}
	for _, r := range readRecords(t) {
		logs[r.Run] = r.log(t)
	}
	plain, more := logs["x64-t-uki-plain"], logs["x64-t-uki-sidecars"]
	if plain == nil || more == nil {
		t.Fatal("the records are not there")
	}
	if got := Compare(plain.Events, plain.Events, nil); got != nil {
		t.Errorf("%v", got)
	}
	var texts []string
	touched := map[uint32]bool{}
	for _, d := range Compare(plain.Events[plain.Before():], more.Events[more.Before():], nil) {
		texts = append(texts, d.Text)
		touched[d.PCR] = true
		if kind := map[uint32]DifferenceKind{4: Unexpected, 9: Changed, 12: Unexpected, 13: Unexpected}[d.PCR]; d.Kind != kind {
			t.Errorf("%v: %s", d.Kind, d)
		}
	}
	for _, want := range []string{
		`PCR 4: the real boot measured in addition: image \loader\addons\global.addon.efi (3072 bytes)`,
		`local.addon.efi (3072 bytes)`,
		`PCR 12: the real boot measured in addition: command line "addon=global addon=local": `,
		`PCR 12: the real boot measured in addition: Credentials initrd, made by the stub: `,
		`PCR 12: the real boot measured in addition: Configuration extension initrd`,
		`PCR 13: the real boot measured in addition: System extension initrd`,
		`PCR 9: the kernel's command line differs: `,
		`PCR 9: the kernel's initrd differs: `,
	} {
		if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%s is not in\n%s", want, strings.Join(texts, "\n"))
		}
	}
	if len(texts) != 9 || len(touched) != 4 { // those above, and the global credentials
		t.Errorf("%d differences:\n%s", len(texts), strings.Join(texts, "\n"))
	}
}

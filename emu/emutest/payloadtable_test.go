// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// payloadTable is docs/PAYLOADS.md.
type payloadTable struct {
	columns []string
	rows    []*payloadRow
	index   map[string]*payloadRow
}

// payloadRow is a payload: what it came to, by column, and what it asked for, by
// protocol.
type payloadRow struct {
	payload string
	results map[string]string
	uses    map[string]map[string]bool
}

func newPayloadTable() *payloadTable { return &payloadTable{index: map[string]*payloadRow{}} }

func (p *payloadTable) row(payload string) *payloadRow {
	r := p.index[payload]
	if r == nil {
		r = &payloadRow{payload, map[string]string{}, map[string]map[string]bool{}}
		p.index[payload] = r
		p.rows = append(p.rows, r)
	}
	return r
}

func (r *payloadRow) note(protocol, service string) {
	if r.uses[protocol] == nil {
		r.uses[protocol] = map[string]bool{}
	}
	r.uses[protocol][service] = true
}

// names are what of a protocol was asked for.
func (r *payloadRow) names(protocol string) string {
	return strings.Join(slices.Sorted(maps.Keys(r.uses[protocol])), ", ")
}

const payloadsDoc = "../../docs/PAYLOADS.md"

// usesHeading is of the part of docs/PAYLOADS.md that changes with the payloads:
// it is written, and not compared.
const usesHeading = "\n## What they ask for\n"

// check compares docs/PAYLOADS.md with what was seen.
func (p *payloadTable) check(t *testing.T) {
	if t.Failed() || len(p.columns) < 3 || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // a part of it was left out, and has said why
	}
	for _, c := range p.columns {
		if !slices.ContainsFunc(p.rows, func(r *payloadRow) bool { return r.results[c] != "" }) {
			return // likewise
		}
	}
	text := p.text()
	if *update {
		if err := os.WriteFile(payloadsDoc, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(payloadsDoc)
	got, _, _ := strings.Cut(string(have), usesHeading)
	if want, _, _ := strings.Cut(text, usesHeading); err != nil || got != want {
		t.Errorf("%s is not what the test has seen (%v); want:\n%s", payloadsDoc, err, want)
	}
}

func (p *payloadTable) text() string {
	var b strings.Builder
	b.WriteString("# Payloads\n\nPrinted by `go test ./emu/emutest -run TestRealPayloads -update`, with UEFIEXEC_CORPUS naming the folder that\n" +
		"`.ci/corpus` has filled. Whether what is frozen goes on after kexec is shown by the tests of emu/kexec, in QEMU.\n\n" +
		"## What they come to\n\n| payload |")
	for _, c := range p.columns {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString(" result |\n|---|" + strings.Repeat("---|", len(p.columns)+1) + "\n")
	for _, r := range p.rows {
		fmt.Fprintf(&b, "| %s |", r.payload)
		results := map[string]bool{}
		for _, c := range p.columns {
			sign := ""
			if text, ok := r.results[c]; ok {
				sign, results[text] = "yes", true
			}
			fmt.Fprintf(&b, " %s |", sign)
		}
		fmt.Fprintf(&b, " %s |\n", strings.Join(slices.Sorted(maps.Keys(results)), "; "))
	}
	b.WriteString(usesHeading + "\nCopyMem and SetMem are code in the guest, and seen by nobody.\n\n| payload | boot services | runtime services | protocols | asked for and not there |\n|---|---|---|---|---|\n")
	for _, r := range p.rows {
		var protocols []string
		for _, name := range slices.Sorted(maps.Keys(r.uses)) {
			if name != "BootServices" && name != "RuntimeServices" && !strings.HasPrefix(name, "missing ") {
				protocols = append(protocols, fmt.Sprintf("%s (%s)", name, r.names(name)))
			}
		}
		missing := r.names("missing protocol")
		if v := r.names("missing variable"); v != "" {
			missing = strings.TrimPrefix(missing+"; variables ", "; ") + v
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.payload, r.names("BootServices"), r.names("RuntimeServices"), strings.Join(protocols, "; "), missing)
	}
	return b.String()
}

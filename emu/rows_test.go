// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

func TestRowsAreTheSpecifications(t *testing.T) { // §4.4, §4.5
	for _, table := range []struct {
		rows Protocol
		spec reflect.Type
	}{
		{bootServices, reflect.TypeFor[efi.BootServices]()},
		{runtimeServices, reflect.TypeFor[efi.RuntimeServices]()},
	} {
		var got, want []string
		for _, s := range table.rows.Services {
			got = append(got, s.Name)
		}
		for i := range table.spec.NumField() {
			if f := table.spec.Field(i); !f.Anonymous {
				want = append(want, f.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: rows are\n%q, want\n%q", table.rows.Name, got, want)
		}
	}
}

// Each row's function takes as many arguments as it has names for.
func TestRowsNameTheirArguments(t *testing.T) {
	m, err := Open(Config{Arch: cpu.AMD64, Engine: new(puppet.Puppet).New})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.regs.GP[m.abi.Stack] = uint64(m.stack.End) - 0x1000
	for _, rows := range []Protocol{bootServices, runtimeServices} {
		for i := range rows.Services {
			s := &rows.Services[i]
			if s.kind == slotCode {
				continue
			}
			c := &Call{m: m}
			c.raw = c.store[:s.numArgs()]
			func() {
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("%s.%s: more arguments than the names %q: %v", rows.Name, s.Name, s.Params, v)
					}
				}()
				if args := s.args(c); len(args) != len(s.Params) {
					t.Errorf("%s.%s has %d arguments and the names %q", rows.Name, s.Name, len(args), s.Params)
				}
			}()
			for _, p := range s.Params {
				if strings.Trim(p, "*&") == "" {
					t.Errorf("%s.%s: a parameter without a name", rows.Name, s.Name)
				}
			}
			if (s.Support == Full) != (s.Note == "") {
				t.Errorf("%s.%s is %v: note %q", rows.Name, s.Name, s.Support, s.Note)
			}
		}
	}
}

const servicesFile = "../docs/SERVICES.md"

// docs/SERVICES.md is printed from the rows: go test ./emu -run ServicesDoc -update
func TestServicesDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Boot and runtime services

Printed from the rows of package emu by ` + "`go test ./emu -run ServicesDoc -update`" + `.
A service that is absent returns EFI_UNSUPPORTED, and a trace says so. The names of what a
service writes have an asterisk, of what it reads and writes an ampersand.
`)
	for _, rows := range []Protocol{bootServices, runtimeServices} {
		fmt.Fprintf(&b, "\n## %s\n\n| service | support | |\n|---|---|---|\n", rows.Name)
		for _, s := range rows.Services {
			note := s.Note
			if s.kind == slotCode {
				note = "code in the guest: calls are in no trace"
			}
			name := "`" + s.Name
			if strings.Contains(s.Name, "Multiple") {
				s.Params = append(slices.Clip(s.Params), "…")
			}
			if len(s.Params) > 0 {
				name += "(" + strings.Join(s.Params, ", ") + ")"
			}
			fmt.Fprintf(&b, "| %s | %v | %s |\n", name+"`", s.Support, note)
		}
	}
	if *Update {
		if err := os.WriteFile(servicesFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(servicesFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(old) != b.String() {
		t.Errorf("%s is not what the rows say: go test ./emu -run ServicesDoc -update", servicesFile)
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/tables"
)

const bootAccess = efi.VariableBootServiceAccess

func setVariable(g *guest, want efi.Status, name string, attrs efi.VariableAttribute, data string) {
	g.T.Helper()
	defer rewind(g)()
	expectRuntime(g, want, "SetVariable", g.Text(name), g.GUID(other), attrs, len(data), g.Bytes([]byte(data)))
}

func getVariable(g *guest, name string) (string, efi.VariableAttribute, efi.Status) {
	g.T.Helper()
	defer rewind(g)()
	size, attrs, data := local[uint64](g, 256), local[efi.VariableAttribute](g, 0), g.Local(256)
	status := g.Runtime("GetVariable", g.Text(name), g.GUID(other), attrs, size, data)
	if status != efi.Success {
		return "", 0, status
	}
	raw, err := g.Memory().Read(data, load(g, size))
	if err != nil {
		g.T.Fatal(err)
	}
	return string(raw), load(g, attrs), status
}

func TestVariables(t *testing.T) { // §8.2
	playAll(t, []scene{
		{"set, get, append, delete", func(g *guest) {
			setVariable(g, efi.Success, "Greeting", bootAccess, "hello")
			setVariable(g, efi.Success, "Greeting", bootAccess|efi.VariableAppendWrite, " world")
			data, attrs, status := getVariable(g, "Greeting")
			same(g, "status", status, efi.Success)
			same(g, "data", data, "hello world")
			same(g, "attributes", attrs, bootAccess)
			setVariable(g, efi.InvalidParameter, "Greeting", bootAccess|efi.VariableRuntimeAccess, "x")
			setVariable(g, efi.Success, "Greeting", bootAccess, "")
			_, _, status = getVariable(g, "Greeting")
			same(g, "status", status, efi.NotFound)
		}},
		{"too small a buffer", func(g *guest) {
			setVariable(g, efi.Success, "V", bootAccess, "0123456789")
			name, guid, size, attrs := g.Text("V"), g.GUID(other), local[uint64](g, 0), local[efi.VariableAttribute](g, 0)
			expectRuntime(g, efi.BufferTooSmall, "GetVariable", name, guid, attrs, size, 0)
			same(g, "size", load(g, size), 10)
			same(g, "attributes", load(g, attrs), bootAccess)
			expectRuntime(g, efi.InvalidParameter, "GetVariable", name, guid, 0, size, 0)
			expectRuntime(g, efi.InvalidParameter, "GetVariable", name, guid, 0, 0, 0)
			expectRuntime(g, efi.InvalidParameter, "GetVariable", 0, guid, 0, size, g.Local(16))
			expectRuntime(g, efi.InvalidParameter, "GetVariable", name, 0, 0, size, g.Local(16))
			expectRuntime(g, efi.InvalidParameter, "GetVariable", g.Text(""), guid, 0, size, g.Local(16))
		}},
		{"listed", func(g *guest) { // §8.2.2
			for _, name := range []string{"One", "Two", "Three"} {
				setVariable(g, efi.Success, name, bootAccess, "x")
			}
			const room = 64
			size, name, guid := local[uint64](g, 2), g.Local(room), g.GUID(efi.GUID{})
			expectRuntime(g, efi.BufferTooSmall, "GetNextVariableName", size, name, guid)
			same(g, "size", load(g, size), 8)
			var got []string
			for {
				size := local[uint64](g, room)
				status := g.Runtime("GetNextVariableName", size, name, guid)
				if status == efi.NotFound {
					break
				}
				same(g, "status", status, efi.Success)
				same(g, "GUID", load(g, guid), other)
				raw, err := g.Memory().Read(name, load(g, size))
				if err != nil {
					g.T.Fatal(err)
				}
				got = append(got, efi.DecodeString(raw))
			}
			if !slices.Equal(got, []string{"One", "Two", "Three"}) {
				g.T.Fatalf("%q", got)
			}
			expectRuntime(g, efi.InvalidParameter, "GetNextVariableName", local[uint64](g, 64), g.Text("Four"), guid)
			expectRuntime(g, efi.InvalidParameter, "GetNextVariableName", local[uint64](g, 0), g.Text(""), guid)
			expectRuntime(g, efi.InvalidParameter, "GetNextVariableName", local[uint64](g, 4), g.Text("One"), guid)
		}},
		{"room", func(g *guest) { // §8.2.4
			total, left, most := local[uint64](g, 0), local[uint64](g, 0), local[uint64](g, 0)
			expectRuntime(g, efi.Success, "QueryVariableInfo", bootAccess, total, left, most)
			before := load(g, left)
			if before == 0 || before > load(g, total) || load(g, most) == 0 {
				g.T.Fatalf("%d of %d left, %d at most", before, load(g, total), load(g, most))
			}
			setVariable(g, efi.Success, "V", bootAccess, "0123456789")
			expectRuntime(g, efi.Success, "QueryVariableInfo", bootAccess, total, left, most)
			if load(g, left) >= before {
				g.T.Fatal("a variable takes no room")
			}
			expectRuntime(g, efi.InvalidParameter, "QueryVariableInfo", bootAccess, total, 0, most)
			expectRuntime(g, efi.InvalidParameter, "QueryVariableInfo", 0, total, left, most)
		}},
		{"refused", func(g *guest) {
			setVariable(g, efi.InvalidParameter, "", bootAccess, "x")
			setVariable(g, efi.InvalidParameter, "V", efi.VariableRuntimeAccess, "x")
			setVariable(g, efi.NotFound, "V", bootAccess, "")
			expectRuntime(g, efi.InvalidParameter, "SetVariable", g.Text("V"), g.GUID(other), bootAccess, 1<<30, g.Local(16))
			expectRuntime(g, efi.InvalidParameter, "SetVariable", 1, g.GUID(other), bootAccess, 1, g.Local(16))
		}},
	})
}

func TestVariablesAreTheHosts(t *testing.T) {
	vars := new(tables.Variables)
	if err := vars.Define(tables.Variable{Name: "SecureBoot", GUID: other, Attributes: bootAccess, Data: []byte{1}, ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	play(t, emu.Config{Variables: vars}, func(g *guest) {
		data, _, _ := getVariable(g, "SecureBoot")
		same(g, "SecureBoot", data, "\x01")
		setVariable(g, efi.WriteProtected, "SecureBoot", bootAccess, "\x00")
		setVariable(g, efi.Success, "New", bootAccess, "x")
		_, _, status := getVariable(g, "Neither")
		same(g, "status", status, efi.NotFound)
		want := emu.Missing{Kind: "variable", Name: "Neither-" + other.String(), Count: 1}
		if got := g.Machine.Missing(); !slices.Equal(got, []emu.Missing{want}) {
			g.T.Fatalf("%+v", got)
		}
	})
	if v, err := vars.Get("New", other); err != nil || string(v.Data) != "x" {
		t.Errorf("%+v, %v", v, err)
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/json"
	"go/ast"
	"strings"
	"testing"
)

func TestGUIDText(t *testing.T) {
	const text = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	for _, s := range []string{text, strings.ToUpper(text), "{" + text + "}"} {
		if g, err := ParseGUID(s); err != nil || g != GlobalVariableGUID {
			t.Errorf("ParseGUID(%q) = %v, %v", s, g, err)
		}
	}
	if got := GlobalVariableGUID.String(); got != text {
		t.Errorf("String() = %s", got)
	}
	for _, s := range []string{
		"", text[1:], text + "0", "{" + text, text + "}", "(" + text + ")", strings.ReplaceAll(text, "-", "0"),
		strings.Replace(text, "8", "g", 1), strings.Replace(text, "-9", "9-", 1),
	} {
		if g, err := ParseGUID(s); err == nil {
			t.Errorf("ParseGUID(%q) = %v", s, g)
		}
	}
}

func TestGUIDWire(t *testing.T) {
	wire := [16]byte{0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}
	if got := GlobalVariableGUID.Bytes(); got != wire {
		t.Errorf("Bytes() = %x", got)
	}
	if got := GUIDFromBytes(wire); got != GlobalVariableGUID {
		t.Errorf("GUIDFromBytes = %v", got)
	}
}

func TestGUIDJSON(t *testing.T) {
	in := map[GUID]GUID{FileInfoGUID: FileSystemInfoGUID}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out map[GUID]GUID
	if err := json.Unmarshal(b, &out); err != nil || out[FileInfoGUID] != FileSystemInfoGUID {
		t.Errorf("%s became %v, %v", b, out, err)
	}
	if err := json.Unmarshal([]byte(`{"nonsense":"nonsense"}`), &out); err == nil {
		t.Error("nonsense is a GUID")
	}
}

// TestGUIDsArePublished compares each GUID with what its owner publishes.
func TestGUIDsArePublished(t *testing.T) {
	published := make(map[string]string)
	for _, row := range readTSV(t, "guids.tsv", 4) {
		published[row[0]] = row[1]
	}
	for g, name := range guidNames {
		if published[name] != g.String() {
			t.Errorf("%s is %v here, %q at its source", name, g, published[name])
		}
		delete(published, name)
	}
	for name := range published {
		t.Errorf("guids.tsv has %s, which has no name here", name)
	}
}

// TestGUIDNames compares the names with those of the variables.
func TestGUIDNames(t *testing.T) {
	variables := make(map[string]bool)
	names := make(map[string]string)
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return false
			case *ast.ValueSpec:
				if isGUIDLiteral(n) {
					variables[n.Names[0].Name] = true
				}
				if n.Names[0].Name == "guidNames" {
					for _, element := range n.Values[0].(*ast.CompositeLit).Elts {
						pair := element.(*ast.KeyValueExpr)
						names[pair.Key.(*ast.Ident).Name] = strings.Trim(pair.Value.(*ast.BasicLit).Value, `"`)
					}
				}
			}
			return true
		})
	}
	if len(names) != len(guidNames) || len(names) < 200 {
		t.Errorf("%d names in the source, %d in the table: two variables have one GUID", len(names), len(guidNames))
	}
	for variable := range variables {
		if want := strings.TrimSuffix(variable, "GUID"); names[variable] != want {
			t.Errorf("%s has the name %q, want %q", variable, names[variable], want)
		}
	}
	if name, ok := SimpleFileSystemProtocolGUID.Name(); name != "SimpleFileSystemProtocol" || !ok {
		t.Errorf("Name() = %q, %v", name, ok)
	}
	if name, ok := (GUID{1, 2, 3, [8]byte{}}).Name(); ok {
		t.Errorf("an unknown GUID has the name %q", name)
	}
}

func isGUIDLiteral(spec *ast.ValueSpec) bool {
	if len(spec.Values) != 1 {
		return false
	}
	literal, ok := spec.Values[0].(*ast.CompositeLit)
	if !ok {
		return false
	}
	typ, ok := literal.Type.(*ast.Ident)
	return ok && typ.Name == "GUID"
}

func FuzzGUIDText(f *testing.F) {
	f.Add("8be4df61-93ca-11d2-aa0d-00e098032b8c")
	f.Add("{8BE4DF61-93CA-11D2-AA0D-00E098032B8C}")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGUID(s)
		if err != nil {
			return
		}
		if got := strings.ToLower(strings.Trim(s, "{}")); g.String() != got {
			t.Errorf("%q became %v", s, g)
		}
		if again := GUIDFromBytes(g.Bytes()); again != g {
			t.Errorf("%v became %v on the wire", g, again)
		}
	})
}

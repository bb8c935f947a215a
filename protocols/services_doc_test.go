// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu"
)

var update = flag.Bool("update", false, "write docs/PROTOCOLS.md")

// documented are all protocols of the package, with the variable that holds the
// rows and the section of the specification, in the order of the sections.
var documented = []struct {
	variable, section string
	rows              *emu.Protocol
}{
	{"devicePathProtocol", "§10.2", &devicePathProtocol},
	{"devicePathUtilitiesProtocol", "§10.5", &devicePathUtilitiesProtocol},
	{"devicePathToTextProtocol", "§10.6.2", &devicePathToTextProtocol},
	{"devicePathFromTextProtocol", "§10.6.3", &devicePathFromTextProtocol},
	{"simpleTextInputExProtocol", "§12.2", &simpleTextInputExProtocol},
	{"simpleTextInputProtocol", "§12.3", &simpleTextInputProtocol},
	{"simpleTextOutputProtocol", "§12.4", &simpleTextOutputProtocol},
	{"graphicsOutputProtocol", "§12.9", &graphicsOutputProtocol},
	{"loadFile2Protocol", "§13.2", &loadFile2Protocol},
	{"simpleFileSystemProtocol", "§13.4", &simpleFileSystemProtocol},
	{"fileProtocol", "§13.5", &fileProtocol},
	{"diskIOProtocol", "§13.7", &diskIOProtocol},
	{"blockIOProtocol", "§13.9", &blockIOProtocol},
	{"blockIO2Protocol", "§13.10", &blockIO2Protocol},
	{"unicodeCollationProtocol", "§21.1", &unicodeCollationProtocol},
	{"rngProtocol", "§37.5", &rngProtocol},
	{"memoryAttributeProtocol", "§37.7", &memoryAttributeProtocol},
}

// declared finds the variables of the package that hold rows, and the comment of each.
func declared(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for i, value := range v.Values {
					if isRows(value) {
						found[v.Names[i].Name] = g.Doc.Text() + v.Doc.Text()
					}
				}
			}
		}
	}
	return found
}

// isRows tells the literal emu.Protocol{…}.
func isRows(e ast.Expr) bool {
	literal, ok := e.(*ast.CompositeLit)
	if !ok {
		return false
	}
	s, ok := literal.Type.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Protocol"
}

func TestEveryProtocolIsDocumented(t *testing.T) {
	comments := declared(t)
	for _, p := range documented {
		comment, ok := comments[p.variable]
		if !ok {
			t.Errorf("no variable %s", p.variable)
		}
		if !strings.Contains(comment, "("+p.section+")") {
			t.Errorf("%s is of %s, and its comment says: %s", p.variable, p.section, comment)
		}
		delete(comments, p.variable)
	}
	for name := range comments {
		t.Errorf("%s has no row in documented", name)
	}
}

func TestRowsSayWhatIsMissing(t *testing.T) {
	for _, p := range documented {
		for _, s := range p.rows.Services {
			if (s.Support == emu.Full) != (s.Note == "") {
				t.Errorf("%s.%s is %v: note %q", p.rows.Name, s.Name, s.Support, s.Note)
			}
			if slices.ContainsFunc(s.Params, func(name string) bool { return strings.Trim(name, "*&") == "" }) {
				t.Errorf("%s.%s: a parameter without a name: %q", p.rows.Name, s.Name, s.Params)
			}
		}
	}
}

const protocolsFile = "../docs/PROTOCOLS.md"

// docs/PROTOCOLS.md is printed from the rows: go test ./protocols -run ProtocolsDoc -update
func TestProtocolsDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Protocols\n\nPrinted from the rows of package protocols by `go test ./protocols -run ProtocolsDoc -update`.\n" +
		"A service that is absent returns EFI_UNSUPPORTED, and a trace says so. The names of what a\n" +
		"service writes have an asterisk, of what it reads and writes an ampersand. A name without\n" +
		"parameters is data in the protocol's structure.\n")
	for _, p := range documented {
		fmt.Fprintf(&b, "\n## %s (%s)\n\n", p.rows.Name, p.section)
		if len(p.rows.Services) == 0 {
			b.WriteString("Data only, no services.\n")
			continue
		}
		b.WriteString("| service | support | |\n|---|---|---|\n")
		for _, s := range p.rows.Services {
			name := s.Name
			if len(s.Params) > 0 {
				name += "(" + strings.Join(s.Params, ", ") + ")"
			}
			fmt.Fprintf(&b, "| `%s` | %v | %s |\n", name, s.Support, s.Note)
		}
	}
	if *update {
		if err := os.WriteFile(protocolsFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(protocolsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(old) != b.String() {
		t.Errorf("%s is not what the rows say: go test ./protocols -run ProtocolsDoc -update", protocolsFile)
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package uefiexec_test

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/uefiexec/uefiexec"

// rooms are the arrows of the house: what each folder may import of the others
// and of other modules, outside of its tests. Doc.go of the root draws them.
var rooms = map[string][]string{
	"":                     {},
	"efi":                  {},
	"pecoff":               {},
	"pecoff/petest":        {"pecoff"},
	"tables":               {"efi"},
	"tables/eventlog":      {"efi"},
	"emu/mem":              {"efi", "golang.org/x/sys"},
	"emu/cpu":              {"efi", "emu/mem"},
	"emu/cpu/cputest":      {"efi", "emu/mem", "emu/cpu"},
	"emu/ptrace":           {"efi", "emu/mem", "emu/cpu", "golang.org/x/sys", "golang.org/x/arch"},
	"emu/interp/a64":       {"efi", "emu/mem", "emu/cpu", "golang.org/x/arch"},
	"emu/interp/x86":       {"efi", "emu/mem", "emu/cpu", "golang.org/x/arch"},
	"emu/interp":           {"emu/cpu", "emu/interp/a64", "emu/interp/x86"},
	"emu/puppet":           {"efi", "emu/mem", "emu/cpu"},
	"emu/resident":         {"efi"},
	"emu":                  {"efi", "emu/mem", "emu/cpu", "emu/resident", "pecoff", "tables", "tables/eventlog"},
	"emu/auto":             {"efi", "emu/mem", "emu/cpu", "emu/ptrace", "emu/interp"},
	"emu/emutest":          {"efi", "emu", "emu/mem", "emu/cpu", "emu/auto", "emu/puppet", "emu/emutest/payloads", "pecoff", "pecoff/petest", "protocols"},
	"emu/emutest/payloads": {},
	"emu/kexec":            {"efi", "emu", "emu/cpu", "emu/resident", "pecoff", "tables/eventlog", "golang.org/x/sys", "github.com/u-root/u-root/pkg/boot/kexec", "github.com/u-root/u-root/pkg/dt"},
	"emu/kexec/tpm":        {"efi", "emu", "emu/kexec", "tables/eventlog", "github.com/google/go-tpm/tpm2"},
	"emu/kexec/vmtest":     {"emu/cpu", "emu/emutest", "golang.org/x/sys"},
	"emu/uroot":            {"efi", "emu", "emu/auto", "emu/cpu", "emu/kexec", "pecoff", "protocols", "github.com/u-root/u-root/pkg/boot"},
	"protocols":            {"efi", "emu", "emu/mem", "tables", "protocols/fat"},
	"protocols/archive":    {},
	"protocols/fat":        {},
	"protocols/tcg2":       {"efi", "emu", "emu/mem", "pecoff", "tables", "tables/eventlog"},
}

// programs are folders of commands, which may end their process.
var programs = []string{"examples", "emu/kexec/vmtest/init"}

// examples may import anything of the house; this is what they may import beside.
var examples = []string{"github.com/saferwall/pe", "github.com/u-root/u-root/pkg/boot", "golang.org/x/term", "golang.org/x/sys"}

// conditional are the folders that may know the system they run on.
var conditional = []string{"emu/mem", "emu/ptrace", "emu/auto", "emu/emutest", "emu/kexec", "emu/uroot", "examples"}

// doubles are the folders for tests, which may panic.
var doubles = []string{"pecoff/petest", "emu/puppet", "emu/cpu/cputest", "emu/emutest"}

// mayPanic are files that do so for a mistake in the program that uses them.
var mayPanic = []string{"efi/devicepath_node.go", "protocols/file_info.go"} // a type of no fixed size

// source is a Go file of the project.
type source struct {
	dir, name string // slash-separated, from the root
	text      string
	ast       *ast.File
	test      bool
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."), d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		slash := filepath.ToSlash(name)
		dir := path.Dir(slash)
		if dir == "." {
			dir = ""
		}
		all = append(all, source{dir, slash, string(text), file, strings.HasSuffix(name, "_test.go")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found %d Go files", len(all))
	}
	return all
}

func within(dir string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return dir == f || strings.HasPrefix(dir, f+"/") })
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		allowed, known := rooms[s.dir]
		if !known && !within(s.dir, programs) {
			t.Errorf("%s: the folder has no row in rooms", s.name)
			continue
		}
		for _, spec := range s.ast.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			inside, ours := strings.CutPrefix(imported, module+"/")
			switch std := !strings.Contains(strings.Split(imported, "/")[0], "."); {
			case std:
				if imported == "log" && !within(s.dir, programs) {
					t.Errorf("%s: a library does not log", s.name)
				}
			case within(s.dir, programs):
				if !ours && !slices.ContainsFunc(examples, func(m string) bool { return strings.HasPrefix(imported, m) }) {
					t.Errorf("%s imports %s", s.name, imported)
				}
			case ours && !slices.Contains(allowed, inside):
				t.Errorf("%s imports %s: not an arrow of the house", s.name, inside)
			case !ours && !slices.ContainsFunc(allowed, func(m string) bool { return strings.HasPrefix(imported, m) }):
				t.Errorf("%s imports %s", s.name, imported)
			}
		}
	}
}

func TestUnsafeIsVisible(t *testing.T) {
	for _, s := range sources(t) {
		for _, spec := range s.ast.Imports {
			if spec.Path.Value != `"unsafe"` {
				continue
			}
			if !strings.HasSuffix(s.name, "_unsafe.go") && !strings.HasSuffix(s.name, "_unsafe_test.go") {
				t.Errorf("%s imports unsafe", s.name)
			}
			if strings.Count(s.text, "unsafe.Pointer(") > 0 && !strings.Contains(s.text, "// SAFETY:") {
				t.Errorf("%s does not say why it is safe", s.name)
			}
		}
	}
}

var systems = []string{"linux", "darwin", "windows", "freebsd", "unix", "amd64", "arm64"}

func TestSystemsAreKnownWhereTheyMayBe(t *testing.T) {
	for _, s := range sources(t) {
		if within(s.dir, conditional) || s.test {
			continue
		}
		base := strings.TrimSuffix(path.Base(s.name), ".go")
		if _, suffix, ok := strings.Cut(base, "_"); ok && slices.Contains(systems, suffix[strings.LastIndex(suffix, "_")+1:]) {
			t.Errorf("%s is for one system", s.name)
		}
		for _, group := range s.ast.Comments {
			for _, c := range group.List {
				if constraint.IsGoBuild(c.Text) {
					t.Errorf("%s has a build constraint", s.name)
				}
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && (sel.Sel.Name == "GOARCH" || sel.Sel.Name == "GOOS") {
				t.Errorf("%s looks at runtime.%s", s.name, sel.Sel.Name)
			}
			return true
		})
	}
}

// rootName is the identifier that an assignable expression starts with.
func rootName(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func TestNoPackageStateChanges(t *testing.T) {
	all := sources(t)
	vars := map[string]map[string]bool{}
	for _, s := range all {
		for _, decl := range s.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR || s.test {
				continue
			}
			for _, spec := range gen.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if vars[s.dir] == nil {
						vars[s.dir] = map[string]bool{}
					}
					vars[s.dir][name.Name] = true
				}
			}
		}
	}
	for _, s := range all {
		if s.test {
			continue
		}
		changed := func(e ast.Expr) {
			id := rootName(e)
			if id == nil || id.Name == "_" || !vars[s.dir][id.Name] {
				return
			}
			// An identifier that is declared inside a function resolves to that.
			if id.Obj == nil || s.ast.Scope.Lookup(id.Name) == id.Obj {
				t.Errorf("%s changes the package variable %s", s.name, id.Name)
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, lhs := range n.Lhs {
					changed(lhs)
				}
			case *ast.IncDecStmt:
				changed(n.X)
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s has an init function", s.name)
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "panic" && !within(s.dir, doubles) && !slices.Contains(mayPanic, s.name) {
					t.Errorf("%s panics", s.name)
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "os" && n.Sel.Name == "Exit" && !within(s.dir, programs) {
					t.Errorf("%s ends the process", s.name)
				}
			}
			return true
		})
	}
}

func TestEveryFileNamesItsLicence(t *testing.T) {
	for _, s := range sources(t) {
		if !strings.HasPrefix(s.text, "// SPDX-License-Identifier: BSD-3-Clause\n") {
			t.Errorf("%s does not start with its licence", s.name)
		}
	}
}

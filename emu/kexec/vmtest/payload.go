// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// Program builds a Go command for the guest, static and stripped, and returns
// its path. The package is one of this module or of its dependencies.
func Program(t testing.TB, arch cpu.Arch, pkg string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		emutest.Skip(t, "%v", err)
	}
	name := filepath.Join(t.TempDir(), path.Base(pkg))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", name, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+boardOf(arch).goarch, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return name
}

// Libraries returns what a program of the host needs to run in the guest, as
// Files of an Initramfs: itself below /bin, and the libraries that ldd(1) names.
func Libraries(t testing.TB, program string) map[string]string {
	t.Helper()
	file, err := exec.LookPath(program)
	if err != nil {
		emutest.Skip(t, "%v", err)
	}
	files := map[string]string{"/bin/" + filepath.Base(file): file}
	out, err := exec.CommandContext(t.Context(), "ldd", file).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "not a dynamic executable") && !strings.Contains(string(out), "statically linked") {
		t.Fatalf("ldd %s: %v\n%s", file, err, out)
	}
	for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		files[m[1]] = m[1]
	}
	return files
}

// Module returns the path of a module for the corpus' kernel of a Debian suite
// ("bookworm", "trixie", "sid"), such as "efivarfs". It is the corpus' file
// NAME.ko, or comes out of the kernel's packages that the corpus was made from.
func Module(t testing.TB, suite string, arch cpu.Arch, name string) string {
	t.Helper()
	corpus := emutest.Corpus(t, "")
	deb := boardOf(arch).deb
	if file := filepath.Join(corpus, suite, deb, name+".ko"); exists(file) {
		return file
	}
	debs, err := filepath.Glob(filepath.Join(corpus, ".apt", suite+"-"+deb, "debs", "linux-*_"+deb+".deb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range debs {
		out := filepath.Join(t.TempDir(), name+".ko")
		switch err := extract(file, name, out); {
		case err == nil:
			return out
		case !errors.Is(err, os.ErrNotExist):
			t.Fatalf("%s: %v", file, err)
		}
	}
	emutest.Skip(t, "the corpus has no module %s for %s's kernel", name, suite)
	return ""
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// extract writes the module of a package, compressed as it is there, to a file.
// Without one, the error is os.ErrNotExist.
func extract(deb, module, out string) error {
	cmd := exec.Command("dpkg-deb", "--fsys-tarfile", deb)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	for r := tar.NewReader(pipe); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", module, os.ErrNotExist)
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !strings.HasPrefix(path.Base(h.Name), module+".ko") {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return os.WriteFile(out, data, 0o644)
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// BenchmarkMeasure predicts what a unified kernel image with its sidecars measures,
// in the banks of the name; ratio is its time over that of sha256sum for the same
// files.
func BenchmarkMeasure(b *testing.B) {
	esp := emutest.Corpus(b, "trixie/amd64/esp")
	emutest.Engine(b, cpu.AMD64)
	tool, err := exec.LookPath("sha256sum")
	if err != nil {
		emutest.Skip(b, "%v", err)
	}
	var files []string
	err = filepath.WalkDir(esp, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, banks := range []string{"sha256", "sha1,sha256,sha384,sha512"} {
		b.Run(banks, func(b *testing.B) {
			var ours, theirs time.Duration
			for b.Loop() {
				start := time.Now()
				var out, errs bytes.Buffer
				args := []string{"measure", "-bank", banks, "-esp", esp, filepath.Join(esp, "EFI/Linux/uki.efi")}
				if code := invoke(b.Context(), args, streams{strings.NewReader(""), &out, &errs}); code != exitDone {
					b.Fatal(errs.String())
				}
				ours += time.Since(start)
				start = time.Now()
				if err := exec.CommandContext(b.Context(), tool, files...).Run(); err != nil {
					b.Fatal(err)
				}
				theirs += time.Since(start)
			}
			b.ReportMetric(float64(ours)/float64(theirs), "ratio")
		})
	}
}

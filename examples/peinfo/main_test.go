// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff/petest"
)

func TestReport(t *testing.T) {
	image := petest.Image{
		Directories: 6, Sections: []petest.Section{{Name: ".text", Data: []byte{0xc3}}}, Relocs: []petest.Reloc{{RVA: 0x1000}},
	}
	name := filepath.Join(t.TempDir(), "a.efi")
	require.NoError(t, os.WriteFile(name, image.Bytes(), 0o600))
	var out bytes.Buffer
	require.NoError(t, report(&out, name))
	require.Contains(t, out.String(), "x64 PE64 [ExecutableImage LargeAddressAware]")
	require.Contains(t, out.String(), "directory Relocation       0x2000        0xc")
	require.NotContains(t, out.String(), "directory Debug")
	require.Contains(t, out.String(), "section .text        0x1000        0x1 [Contains Code Executable Readable Writable]")
	require.Error(t, report(&out, name+".none"))
}

// The signed payloads carry the digest that package pecoff computes.
func TestReportSignedTruth(t *testing.T) {
	root := os.Getenv("UEFIEXEC_TRUTH")
	if root == "" {
		t.Skip("UEFIEXEC_TRUTH is not set")
	}
	var out bytes.Buffer
	require.NoError(t, report(&out, filepath.Join(root, "trixie__shimx64.efi.signed")))
	require.Regexp(t, `signature ".*Microsoft.*" SHA-256 [0-9a-f]{64} true`, out.String())
}

// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
)

// Every real payload parses, lays out and is relocated, and its digest and certificates can be read.
func TestPayloads(t *testing.T) {
	loadable := 0
	for _, file := range payloads(t) {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		im, err := pecoff.Parse(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err, file)
		require.NoError(t, im.Check(im.Machine), file)
		if im.Check() == nil {
			loadable++
		}
		mem := layOut(t, im)
		for _, s := range im.Sections {
			checkMapped(t, im, s, mem, file)
		}
		base := im.ImageBase
		if im.Characteristics&pecoff.RelocsStripped == 0 {
			base += 64 << 20
			base -= base % uint64(im.SectionAlignment)
		}
		require.NoError(t, im.Relocate(mem, base), file)
		_, err = im.Certificates()
		require.NoError(t, err, file)
		require.NotEmpty(t, im.Profiles(), file)
		if im.Overlap() != nil {
			t.Logf("%s: %v", file, im.Overlap())
		}
	}
	require.NotZero(t, loadable)
	t.Logf("%d payloads for AMD64 or ARM64", loadable)
}

// checkMapped compares memory with the section's reader, up to where another section overlaps it.
func checkMapped(t *testing.T, im *pecoff.Image, s pecoff.Section, mem []byte, file string) {
	t.Helper()
	if im.Overlap() != nil {
		return
	}
	want, err := io.ReadAll(im.Mapped(s))
	require.NoError(t, err, file)
	require.True(t, bytes.Equal(want, mem[s.VirtualAddress:][:len(want)]), "%s %s", file, s.Name)
}

// Digests are those that firmware measured into PCR 4, in all four banks.
func TestAuthenticodeTruth(t *testing.T) {
	root := os.Getenv("UEFIEXEC_TRUTH")
	if root == "" {
		t.Skip("UEFIEXEC_TRUTH is not set")
	}
	runs, err := filepath.Glob(filepath.Join(root, "json", "*.json"))
	require.NoError(t, err)
	compared := 0
	for _, run := range runs {
		var log struct {
			Sidecars []struct{ ESP, Src string }
			Events   []struct {
				TypeID   uint32 `json:"type_id"`
				Origin   string
				Preimage string
				Digests  map[string]string
			}
		}
		text, err := os.ReadFile(run)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &log))
		sources := map[string]string{}
		for _, s := range log.Sidecars {
			sources[s.ESP] = s.Src
		}
		const bootServicesApplication = 0x80000003
		for _, e := range log.Events {
			if e.TypeID != bootServicesApplication || e.Origin != "payload-or-loading" {
				continue
			}
			im := truthImage(t, root, sources, e.Preimage)
			digests, err := im.Authenticode(pecoff.AsIs, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512)
			require.NoError(t, err)
			for i, bank := range []string{"sha1", "sha256", "sha384", "sha512"} {
				require.Equal(t, e.Digests[bank], hex.EncodeToString(digests[i]), "%s %s %s", run, e.Preimage, bank)
			}
			compared++
		}
	}
	require.NotZero(t, compared)
	t.Logf("%d events of %d runs", compared, len(runs))
}

// truthImage opens the image that preimage names: "Authenticode sha256 of PE FILE", where FILE is a source or a path
// on the ESP, or "Authenticode sha256 of inner kernel PE (.linux of FILE)".
func truthImage(t *testing.T, root string, sources map[string]string, preimage string) *pecoff.Image {
	t.Helper()
	open := func(name string) *pecoff.Image {
		if src, ok := sources[name]; ok {
			name = src
		}
		dir, base := path.Split(name)
		file := filepath.Join(root, base)
		if strings.HasPrefix(dir, "side") {
			file = filepath.Join(root, "side", base)
		}
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		return parse(t, b)
	}
	if name, ok := strings.CutPrefix(preimage, "Authenticode sha256 of PE "); ok {
		return open(name)
	}
	name, ok := strings.CutPrefix(preimage, "Authenticode sha256 of inner kernel PE (.linux of ")
	require.True(t, ok, preimage)
	uki := open(strings.TrimSuffix(name, ")"))
	require.Equal(t, pecoff.KindUKI, uki.Kind())
	s, ok := uki.Section(".linux")
	require.True(t, ok)
	r := uki.Mapped(s)
	kernel, err := pecoff.Parse(r, r.Size())
	require.NoError(t, err)
	require.NoError(t, kernel.Check())
	return kernel
}

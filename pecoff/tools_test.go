// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"crypto"
	"encoding/hex"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
)

// pesign computes both kinds: with -P it pads as it does when it signs.
func TestAuthenticodePesign(t *testing.T) {
	if _, err := exec.LookPath("pesign"); err != nil {
		unavailable(t, "pesign is not installed")
	}
	for kind, args := range map[pecoff.DigestKind][]string{pecoff.AsIs: {"-h"}, pecoff.AsSigned: {"-h", "-P"}} {
		n, refused := 0, 0
		for _, file := range payloads(t) {
			out, _ := exec.CommandContext(t.Context(), "pesign", append(args, "-i", file)...).CombinedOutput()
			digest := regexp.MustCompile(`\b[0-9a-f]{64}\b`).Find(out)
			if digest == nil {
				refused++
				continue
			}
			require.Equal(t, string(digest), digestOf(t, file, kind), file)
			n++
		}
		require.NotZero(t, n)
		t.Logf("pesign %s: %d payloads, %d refused by pesign", strings.Join(args, " "), n, refused)
	}
}

// osslsigncode tells the digest that was signed. What it calculates itself differs for files with gaps
// between sections (fwupd 1.8 for arm64), which firmware accepts.
func TestAuthenticodeOsslsigncode(t *testing.T) {
	if _, err := exec.LookPath("osslsigncode"); err != nil {
		unavailable(t, "osslsigncode is not installed")
	}
	n, unsigned := 0, 0
	for _, file := range payloads(t) {
		// The exit code tells of trust, which is not looked at here.
		out, _ := exec.CommandContext(t.Context(), "osslsigncode", "verify", "-in", file).CombinedOutput()
		digest := regexp.MustCompile(`Current message digest\s*:\s*([0-9A-F]{64})\s`).FindStringSubmatch(string(out))
		if digest == nil {
			unsigned++
			continue
		}
		require.Equal(t, strings.ToLower(digest[1]), digestOf(t, file, pecoff.AsIs), file)
		n++
	}
	require.NotZero(t, n)
	t.Logf("%d payloads, %d without a SHA-256 signature", n, unsigned)
}

func digestOf(t *testing.T, file string, kind pecoff.DigestKind) string {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	im, err := pecoff.Parse(f, info.Size())
	require.NoError(t, err, file)
	digests, err := im.Authenticode(kind, crypto.SHA256)
	require.NoError(t, err, file)
	return hex.EncodeToString(digests[0])
}

// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
)

// signer writes a key and a certificate for it into files.
func signer(t *testing.T) (key, cert string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return file
	}
	return write("key", "PRIVATE KEY", encoded), write("cert", "CERTIFICATE", raw)
}

// sbsign signs payloads, and sbverify finds the signature good: the digest that it
// is of, which is ours of the file as it would be signed, is that of the file as
// it then is.
func TestAuthenticodeSbsign(t *testing.T) {
	for _, tool := range []string{"sbsign", "sbverify"} {
		if _, err := exec.LookPath(tool); err != nil {
			unavailable(t, tool+" is not installed")
		}
	}
	key, cert := signer(t)
	signed := filepath.Join(t.TempDir(), "signed")
	n, others := 0, 0
	for _, file := range payloads(t) {
		os.Remove(signed)
		// What is signed already has more signatures afterwards, and files with gaps between
		// their sections are signed by another rule than firmware's, with a warning.
		out, err := exec.CommandContext(t.Context(), "sbsign", "--key", key, "--cert", cert, "--output", signed, file).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("warning")) {
			others++
			continue
		}
		out, err = exec.CommandContext(t.Context(), "sbverify", "--cert", cert, signed).CombinedOutput()
		require.NoError(t, err, "%s: %s", file, out)
		digest := digestOf(t, file, pecoff.AsSigned)
		require.Equal(t, digest, digestOf(t, signed, pecoff.AsIs), file)
		raw, err := hex.DecodeString(digest)
		require.NoError(t, err)
		require.True(t, inSignature(t, signed, raw), "%s: the digest %s is in no signature", file, digest)
		n++
	}
	require.Greater(t, n, 20)
	t.Logf("%d payloads, %d that sbsign warns of or refuses", n, others)
}

// inSignature looks for a digest in the signatures of a file.
func inSignature(t *testing.T, file string, digest []byte) bool {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	im, err := pecoff.Parse(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	certs, err := im.Certificates()
	require.NoError(t, err)
	for _, c := range certs {
		if bytes.Contains(c.Data, digest) {
			return true
		}
	}
	return false
}

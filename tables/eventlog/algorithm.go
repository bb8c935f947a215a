// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"crypto"
	_ "crypto/sha1"   // banks
	_ "crypto/sha256" // banks
	_ "crypto/sha512" // banks
	"fmt"
	"strings"
)

// Algorithm is a TPM_ALG_ID of a hash (TCG Algorithm Registry): it names a bank
// of PCRs.
type Algorithm uint16

// The hashes that TPMs of PCs have.
const (
	SHA1    Algorithm = 0x0004
	SHA256  Algorithm = 0x000b
	SHA384  Algorithm = 0x000c
	SHA512  Algorithm = 0x000d
	SM3_256 Algorithm = 0x0012
)

// algorithms are what is known of each; hash is 0 where it cannot be computed.
var algorithms = []struct {
	id   Algorithm
	name string
	size int
	hash crypto.Hash
}{
	{SHA1, "sha1", 20, crypto.SHA1},
	{SHA256, "sha256", 32, crypto.SHA256},
	{SHA384, "sha384", 48, crypto.SHA384},
	{SHA512, "sha512", 64, crypto.SHA512},
	{SM3_256, "sm3_256", 32, 0},
}

func (a Algorithm) String() string {
	for _, k := range algorithms {
		if k.id == a {
			return k.name
		}
	}
	return fmt.Sprintf("alg-%#04x", uint16(a))
}

// ParseAlgorithm takes the names that String gives, in any case.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, k := range algorithms {
		if strings.EqualFold(k.name, name) {
			return k.id, nil
		}
	}
	return 0, fmt.Errorf("eventlog: no bank %q: want sha1, sha256, sha384 or sha512", name)
}

// Size is the length of a digest in bytes, 0 if it is not known.
func (a Algorithm) Size() int {
	for _, k := range algorithms {
		if k.id == a {
			return k.size
		}
	}
	return 0
}

// Hash is the hash that computes a digest; ok is false where this package has none.
func (a Algorithm) Hash() (h crypto.Hash, ok bool) {
	for _, k := range algorithms {
		if k.id == a {
			return k.hash, k.hash != 0
		}
	}
	return 0, false
}

// Sum hashes data, nil where Hash has none.
func (a Algorithm) Sum(data []byte) []byte {
	h, ok := a.Hash()
	if !ok {
		return nil
	}
	sum := h.New()
	sum.Write(data)
	return sum.Sum(nil)
}

// Extend is the value of a PCR after an extend (TPM 2.0 Library, part 1,
// "Extend of a PCR"): the hash of the old value and the digest.
func (a Algorithm) Extend(pcr, digest []byte) []byte {
	h, ok := a.Hash()
	if !ok {
		return nil
	}
	sum := h.New()
	sum.Write(pcr)
	sum.Write(digest)
	return sum.Sum(nil)
}

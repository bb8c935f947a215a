// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/uefiexec/uefiexec/emu"
)

// size is a flag of bytes, with K, M, G or T behind the number.
type size uint64

func (s *size) String() string {
	n, unit := uint64(*s), ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return strconv.FormatUint(n, 10) + unit
}

func (s *size) Set(text string) error {
	digits := strings.TrimRight(strings.ToUpper(text), "KMGTIB")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(text)[len(digits):], "B"), "I")
	shift, ok := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || !ok || n<<shift>>shift != n {
		return fmt.Errorf("%q is no size", text)
	}
	*s = size(n << shift &^ 0xfff)
	return nil
}

// seeded makes randomness and time that are the same for the same seed.
func seeded(seed string) (io.Reader, emu.Clock) {
	random := rand.NewChaCha8(sha256.Sum256([]byte(seed)))
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(random.Uint64()%(365*24*3600)) * time.Second)
	return random, emu.VirtualClock(start)
}

// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// says is a TPM that gives one response, in hex, with spaces.
type says string

func (s says) Send([]byte) ([]byte, error) {
	return hex.DecodeString(strings.ReplaceAll(string(s), " ", ""))
}

const ok = "8001 00000000 00000000 "

func TestBanksResponses(t *testing.T) {
	for name, c := range map[string]struct {
		rsp  says
		want int
		err  error
	}{
		"two, one not active": {ok + "00 00000005 00000003 0004 03 010000 000b 03 000080 000c 03 000000", 2, nil},
		"PCRs above 23 alone": {ok + "00 00000005 00000001 0004 04 000000ff", 0, nil},
		"more":                {ok + "01 00000005 00000001 0004 03 ffffff", 0, ErrResponse},
		"twice":               {ok + "00 00000005 00000002 0004 03 ffffff 0004 03 ffffff", 0, ErrResponse},
		"not of PCRs":         {ok + "00 00000000 00000000", 0, ErrResponse},
		"a code":              {"8001 0000000a 00000101", 0, tpm2.TPMRCFailure},
	} {
		got, err := Banks(c.rsp)
		if len(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, rsp := range map[string]says{"nothing": "", "short": "8001 00", "a long list": ok + "00 00000005 ffffffff", "cut": ok + "00 00000005 00000001 0004 03 ff"} {
		if got, err := Banks(rsp); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestReadResponses(t *testing.T) {
	digest := "0014" + strings.Repeat("11", 20)
	const counter = "00000001 "
	for name, rsp := range map[string]string{
		"nothing":           "00000000 00000000",
		"no PCR":            "00000001 0004 03 000000 00000000",
		"another bank":      "00000001 000b 03 010000 00000001" + digest,
		"not asked for":     "00000001 0004 03 100000 00000001" + digest,
		"two selections":    "00000002 0004 03 010000 0004 03 020000 00000001" + digest,
		"too few values":    "00000001 0004 03 030000 00000001" + digest,
		"too many values":   "00000001 0004 03 010000 00000002" + digest + digest,
		"a short value":     "00000001 0004 03 010000 00000001 0002 1111",
		"an empty value":    "00000001 0004 03 010000 00000001 0000",
		"values of nothing": "00000000 00000001" + digest,
	} {
		_, err := read(says(ok+counter+rsp), []eventlog.Algorithm{eventlog.SHA1}, 0x0f)
		if !errors.Is(err, ErrResponse) || !strings.Contains(err.Error(), "bank sha1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One at a time is enough.
	got, err := read(says(ok+counter+"00000001 0004 03 010000 00000001"+digest), []eventlog.Algorithm{eventlog.SHA1}, 1)
	if err != nil || hex.EncodeToString(got[eventlog.SHA1][0]) != digest[4:] || got[eventlog.SHA1][1] != nil {
		t.Errorf("%x, %v", got[eventlog.SHA1], err)
	}
}

// A TPM that has extended a PCR in one bank and not in another.
func TestCarriedOutInPart(t *testing.T) {
	s := startTPM(t)
	before, err := Read(s, fourBanks)
	if err != nil {
		t.Fatal(err)
	}
	e := event(5, "x", fourBanks...)
	if err := extend(s, fourBanks[:1], &e); err != nil {
		t.Fatal(err)
	}
	was, why := carriedOut(s, fourBanks, 5, before, extended(before, &e))
	if was || why == nil || !strings.Contains(why.Error(), "in 1 banks and not in 3") {
		t.Error(was, why)
	}
}

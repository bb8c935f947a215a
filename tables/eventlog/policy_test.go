// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// policyCases are selections, of PCRs that policyEvents have extended or not.
var policyCases = []struct {
	bank, hash Algorithm
	selection  []uint32
}{
	{SHA256, SHA256, []uint32{7}},
	{SHA256, SHA256, []uint32{11, 4, 9, 4}},
	{SHA256, SHA256, []uint32{0, 23}},
	{SHA256, SHA256, []uint32{16, 17, 8, 15}},
	{SHA1, SHA256, []uint32{4, 11}},
	{SHA384, SHA1, []uint32{4, 11}},
	{SHA512, SHA384, []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
}

func policyLog() *Log {
	l := NewLog(SHA1, SHA256, SHA384, SHA512)
	for _, pcr := range []uint32{4, 11, 11, 9, 23, 7} {
		text := []byte(fmt.Sprint("event of PCR ", pcr))
		l.Events = append(l.Events, New(l.Algorithms(), pcr, IPL, text, text))
	}
	return l
}

// TestPolicyPCRAgainstATPM extends the PCRs of a software TPM, and lets it
// compute the policy in a trial session.
func TestPolicyPCRAgainstATPM(t *testing.T) {
	tpm := startTPM(t)
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	l := policyLog()
	for _, e := range l.Events {
		extend := tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(e.PCR), Auth: tpm2.PasswordAuth(nil)}}
		for _, d := range e.Digests {
			extend.Digests.Digests = append(extend.Digests.Digests, tpm2.TPMTHA{HashAlg: tpm2.TPMAlgID(d.Algorithm), Digest: d.Sum})
		}
		if _, err := extend.Execute(tpm); err != nil {
			t.Fatal(err)
		}
	}
	pcrs := l.Replay()
	for _, c := range policyCases {
		var selected []uint
		for _, pcr := range c.selection {
			selected = append(selected, uint(pcr))
		}
		session, done, err := tpm2.PolicySession(tpm, tpm2.TPMAlgID(c.hash), 16, tpm2.Trial())
		if err != nil {
			t.Fatal(err)
		}
		_, err = tpm2.PolicyPCR{PolicySession: session.Handle(), Pcrs: tpm2.TPMLPCRSelection{
			PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgID(c.bank), PCRSelect: tpm2.PCClientCompatible.PCRs(selected...)}},
		}}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tpm2.PolicyGetDigest{PolicySession: session.Handle()}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		got, err := PolicyPCR(c.bank, c.hash, pcrs, c.selection...)
		if err != nil || !bytes.Equal(got, want.PolicyDigest.Buffer) {
			t.Errorf("%+v: %x, %v, want %x", c, got, err, want.PolicyDigest.Buffer)
		}
		if err := done(); err != nil {
			t.Fatal(err)
		}
	}
}

// startTPM starts swtpm, which ends with the test.
func startTPM(t *testing.T) transport.TPM {
	t.Helper()
	program, err := exec.LookPath("swtpm")
	if err != nil {
		unavailable(t, "no software TPM: "+err.Error())
	}
	dir, err := os.MkdirTemp("", "swtpm") // short, for the socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "sock")
	var output bytes.Buffer
	cmd := exec.Command(program, "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+socket, "--flags", "not-need-init")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return transport.FromReadWriter(conn)
		}
		if time.Since(start) > 10*time.Second {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("swtpm: %v: %s", err, output.Bytes())
		}
	}
}

// TestPolicyPCRByHand writes the bytes of one policy down.
func TestPolicyPCRByHand(t *testing.T) {
	zeros := make([]byte, 32)
	values := sha256.Sum256(append(bytes.Clone(zeros), zeros...)) // of PCR 7 and 11
	session := append(bytes.Clone(zeros), unhex(t, "0000017f 00000001 000b 03 800800")...)
	want := sha256.Sum256(append(session, values[:]...))
	got, err := PolicyPCR(SHA256, SHA256, Reset(SHA256), 11, 7, 7)
	if err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
}

func TestPolicyPCRErrors(t *testing.T) {
	short := Reset(SHA256)
	short[SHA256][7] = nil
	for want, c := range map[string]struct {
		bank, hash Algorithm
		pcrs       PCRs
		selection  []uint32
	}{
		"eventlog: policy: there is no hash sm3_256":    {SHA256, SM3_256, Reset(SHA256), []uint32{7}},
		"eventlog: policy: there is no bank sha1":       {SHA1, SHA256, Reset(SHA256), []uint32{7}},
		"eventlog: policy: there is no bank sha384":     {SHA384, SHA256, nil, []uint32{7}},
		"eventlog: policy: no PCR is selected":          {SHA256, SHA256, Reset(SHA256), nil},
		"eventlog: policy: there is no PCR 24":          {SHA256, SHA256, Reset(SHA256), []uint32{7, 24}},
		"eventlog: policy: PCR 7 of sha256 has 0 bytes": {SHA256, SHA256, short, []uint32{4, 7}},
	} {
		if got, err := PolicyPCR(c.bank, c.hash, c.pcrs, c.selection...); err == nil || err.Error() != want {
			t.Errorf("%x, %v, want %s", got, err, want)
		}
	}
	if _, err := PolicyPCR(SHA256, SHA256, short, 4); err != nil {
		t.Errorf("a PCR that is not selected: %v", err)
	}
}

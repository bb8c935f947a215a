// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// software is a TPM in software, in a process of its own.
type software struct {
	transport.TPM
	dir  string
	stop func()
}

// startTPM starts a TPM that has been reset. Its state is kept in a folder.
func startTPM(t testing.TB) *software {
	t.Helper()
	// The path of a socket has to be short.
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &software{dir: dir, stop: func() {}}
	t.Cleanup(func() { s.stop() })
	s.start(t)
	return s
}

func (s *software) start(t testing.TB) {
	t.Helper()
	path, err := exec.LookPath("swtpm")
	if err != nil {
		emutest.Skip(t, "%v", err)
	}
	socket := filepath.Join(s.dir, "socket")
	cmd := exec.Command(path, "socket", "--tpm2", "--server", "type=unixio,path="+socket,
		"--ctrl", "type=unixio,path="+socket+".ctrl", "--flags", "startup-clear", "--tpmstate", "dir="+s.dir,
		"--terminate") // with the connection, should this process be killed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	s.stop = func() {
		if conn != nil {
			_ = conn.Close()
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.Remove(socket)
		s.stop = func() {}
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err = net.Dial("unix", socket); err == nil {
			break
		}
		if time.Now().After(deadline) {
			s.stop()
			t.Fatal(err)
		}
	}
	s.TPM = transport.FromReadWriter(conn)
}

// allocate makes the banks the active ones (TPM2_PCR_Allocate, part 3, §22.5) and
// resets the TPM.
func (s *software) allocate(t *testing.T, banks ...eventlog.Algorithm) {
	t.Helper()
	be := func(v uint64, size int) (b []byte) {
		for i := size - 1; i >= 0; i-- {
			b = append(b, byte(v>>(8*i)))
		}
		return b
	}
	all := []eventlog.Algorithm{eventlog.SHA1, eventlog.SHA256, eventlog.SHA384, eventlog.SHA512}
	body := append(be(0x4000000c, 4), be(9, 4)...) // platform hierarchy, authorization area
	body = append(append(body, be(0x40000009, 4)...), 0, 0, 0, 0, 0)
	body = append(body, be(uint64(len(all)), 4)...)
	for _, a := range all {
		selected := []byte{0, 0, 0}
		if slices.Contains(banks, a) {
			selected = []byte{0xff, 0xff, 0xff}
		}
		body = append(append(append(body, be(uint64(a), 2)...), 3), selected...)
	}
	s.command(t, 0x8002, 0x12b, body)
	s.command(t, 0x8001, 0x145, []byte{0, 0}) // TPM2_Shutdown, clear
	s.stop()
	s.start(t)
}

func (s *software) command(t *testing.T, tag, code uint16, body []byte) {
	t.Helper()
	size := 10 + len(body)
	cmd := append([]byte{byte(tag >> 8), byte(tag), 0, 0, byte(size >> 8), byte(size), 0, 0, byte(code >> 8), byte(code)}, body...)
	rsp, err := s.Send(cmd)
	if err != nil || len(rsp) < 10 || string(rsp[6:10]) != "\x00\x00\x00\x00" {
		t.Fatalf("command %#x: %x, %v", code, rsp, err)
	}
}

var errBroken = errors.New("the wire is cut")

// broken is a TPM that fails at a command: before it was carried out or after.
type broken struct {
	transport.TPM
	at      int // of the commands with this code
	code    byte
	after   bool
	stuck   bool // and with those that follow
	forever bool // and answers no more
	other   func()
	dead    bool
}

func (b *broken) Send(cmd []byte) ([]byte, error) {
	if b.dead {
		return nil, errBroken
	}
	if cmd[9] != b.code {
		return b.TPM.Send(cmd)
	}
	if b.at--; b.at >= 0 {
		return b.TPM.Send(cmd)
	}
	if b.dead = b.forever; !b.stuck {
		b.code = 0
	}
	if b.after {
		if _, err := b.TPM.Send(cmd); err != nil {
			return nil, err
		}
	}
	if b.other != nil {
		b.other()
	}
	return nil, errBroken
}

var fourBanks = []eventlog.Algorithm{eventlog.SHA1, eventlog.SHA256, eventlog.SHA384, eventlog.SHA512}

// event is one for the banks.
func event(pcr uint32, text string, banks ...eventlog.Algorithm) eventlog.Event {
	return eventlog.New(banks, pcr, eventlog.IPL, []byte(text), []byte(text))
}

// samePCRs compares all PCRs.
func samePCRs(t *testing.T, got, want eventlog.PCRs) {
	t.Helper()
	if !slices.Equal(got.Banks(), want.Banks()) {
		t.Errorf("banks %v, want %v", got.Banks(), want.Banks())
		return
	}
	for a, bank := range want {
		for pcr, v := range bank {
			if !bytes.Equal(got[a][pcr], v) {
				t.Errorf("PCR %d, bank %v: got %x, want %x", pcr, a, got[a][pcr], v)
			}
		}
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"context"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

var inGuest = flag.Bool("guest", false, "this is a guest of package vmtest: its TPM may be extended")

// TestGuestReplay is a part of TestMeasured of package kexec that runs in the
// guest: the event log of the kernel replays to the TPM's PCRs, in every bank. It
// prints the PCRs that have a tag of ours, and one line that stands for all PCRs.
func TestGuestReplay(t *testing.T) {
	if !*inGuest {
		return // it is for a guest of TestMeasured
	}
	var host kexec.Host
	if err := host.ReadEventLog(os.DirFS("/")); err != nil {
		t.Fatal(err)
	}
	device, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	banks, err := Banks(device)
	if err != nil {
		t.Fatal(err)
	}
	pcrs, err := Read(device, banks)
	if err != nil {
		t.Fatal(err)
	}
	explained, err := Ready(&host, device, os.DirFS("/"))
	if err != nil {
		t.Fatal(err)
	}
	user := map[uint32]bool{}
	for _, e := range explained {
		user[e.PCR] = true
		t.Logf("explained: %v", e)
	}
	replayed := host.EventLog.Replay()
	var sums []byte
	for _, a := range banks {
		for n := range uint32(16) {
			if !user[n] && !bytes.Equal(pcrs[a][n], replayed[a][n]) {
				t.Errorf("%v PCR %d is %x, and the log leads to %x", a, n, pcrs[a][n], replayed[a][n])
			}
			sums = append(sums, pcrs[a][n]...)
		}
	}
	tag := eventlog.KexecEvent(banks, 0, Tag)
	var tagged []uint32
	for i := range host.EventLog.Events {
		if e := &host.EventLog.Events[i]; e.Type == tag.Type && bytes.Equal(e.Data, tag.Data) && bytes.Equal(e.Digest(banks[0]), tag.Digest(banks[0])) {
			tagged = append(tagged, e.PCR)
		}
	}
	slices.Sort(tagged)
	t.Logf("%d banks, %d events, tagged %v, pcrs %.16x", len(banks), len(host.EventLog.Events), tagged, eventlog.SHA256.Sum(sums))
}

// TestGuestExtend extends PCR 14, as another program would that keeps no log.
func TestGuestExtend(t *testing.T) {
	if !*inGuest {
		return // it is for a guest of TestMeasuredRefused
	}
	device, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	banks, err := Banks(device)
	if err != nil {
		t.Fatal(err)
	}
	e := eventlog.New(banks, 14, eventlog.IPL, []byte("somebody else"), nil)
	if err := Extend(context.Background(), device, banks, []eventlog.Event{e}); err != nil {
		t.Fatal(err)
	}
}

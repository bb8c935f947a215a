// SPDX-License-Identifier: BSD-3-Clause

package tcg2_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/protocols/tcg2"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// Slots of EFI_TCG2_PROTOCOL.
const (
	slotGetCapability = iota
	slotGetEventLog
	slotHashLogExtendEvent
	slotSubmitCommand
	slotGetActivePCRBanks
	slotSetActivePCRBanks
	slotGetResult
)

// guest is a guest that has found the protocol.
type guest struct {
	*emutest.Guest
	tcg2 efi.Addr
}

// inGuest runs f as the image of a machine with the given TPM.
func inGuest(t testing.TB, opts tcg2.Options, f func(g *guest)) *tcg2.TPM {
	t.Helper()
	tpm, err := tcg2.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	_, err = emutest.Go(t, emu.Config{Measurer: tpm}, func(m *emu.Machine) {
		if err := tpm.Install(m); err != nil {
			t.Fatal(err)
		}
	}, func(g *emutest.Guest) efi.Status {
		found := g.Bytes(make([]byte, 8))
		if s := g.Boot("LocateProtocol", g.GUID(efi.TCG2ProtocolGUID), 0, found); s != efi.Success {
			t.Errorf("LocateProtocol: %v", s)
			return s
		}
		in := &guest{g, 0}
		in.tcg2 = efi.Addr(in.word(found))
		f(in)
		return efi.Success
	})
	var exit *emu.ExitError
	if !errors.As(err, &exit) || exit.Status != efi.Success {
		t.Errorf("the guest came to its end by %v", err)
	}
	return tpm
}

func (g *guest) call(slot int, args ...any) efi.Status { return g.Method(g.tcg2, slot, args...) }

func (g *guest) read(at efi.Addr, n uint64) []byte {
	b, err := g.Machine.Memory().Read(at, n)
	if err != nil {
		g.T.Fatal(err)
	}
	return bytes.Clone(b)
}

func (g *guest) want(what string, got, want efi.Status) {
	g.T.Helper()
	if got != want {
		g.T.Errorf("%s: %v, want %v", what, got, want)
	}
}

// event lays out an EFI_TCG2_EVENT.
func event(pcr uint32, typ eventlog.EventType, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(18+len(data)))
	b = binary.LittleEndian.AppendUint32(b, 14)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint32(b, pcr)
	b = binary.LittleEndian.AppendUint32(b, uint32(typ))
	return append(b, data...)
}

func TestGetCapability(t *testing.T) {
	inGuest(t, tcg2.Options{}, func(g *guest) {
		for _, test := range []struct {
			room, size, minor byte
			status            efi.Status
		}{
			{0, 36, 0, efi.BufferTooSmall},
			{27, 36, 0, efi.BufferTooSmall},
			{28, 28, 0, efi.Success},
			{35, 28, 0, efi.Success},
			{36, 36, 1, efi.Success},
			{255, 36, 1, efi.Success},
		} {
			at := g.Bytes(append([]byte{test.room}, bytes.Repeat([]byte{0xee}, 63)...))
			g.want("GetCapability", g.call(slotGetCapability, at), test.status)
			b := g.read(at, 64)
			switch {
			case b[0] != test.size || b[63] != 0xee:
				t.Errorf("room for %d: %x", test.room, b)
			case test.status == efi.Success && (b[1] != 1 || b[2] != test.minor || b[4] != test.minor || b[8] != 0x0f || b[16] != 1 || b[test.size] != 0xee):
				t.Errorf("room for %d: %x", test.room, b)
			case test.size == 36 && test.status == efi.Success && (b[28] != 4 || b[32] != 0x0f):
				t.Errorf("banks: %x", b)
			}
		}
		g.want("NULL", g.call(slotGetCapability, 0), efi.InvalidParameter)
		g.want("another this", g.Method(g.tcg2, slotGetCapability), efi.InvalidParameter)
	})
}

func TestHashLogExtendEvent(t *testing.T) {
	text := []byte("measured")
	image, err := payloads.Demo("x64")
	if err != nil {
		t.Fatal(err)
	}
	tpm := inGuest(t, tcg2.Options{}, func(g *guest) {
		data, pe := g.Bytes(text), g.Bytes(image)
		ev := g.Bytes(event(11, eventlog.IPL, []byte("what")))
		g.want("an event", g.call(slotHashLogExtendEvent, 0, data, len(text), ev), efi.Success)
		g.want("extended alone", g.call(slotHashLogExtendEvent, 1, data, len(text), ev), efi.Success)
		g.want("an image", g.call(slotHashLogExtendEvent, 16, pe, len(image), g.Bytes(event(4, eventlog.EFIBootServicesApplication, nil))), efi.Success)
		g.want("no image", g.call(slotHashLogExtendEvent, 16, data, len(text), ev), efi.Unsupported)
		g.want("EV_NO_ACTION", g.call(slotHashLogExtendEvent, 0, 0, 0, g.Bytes(event(9, eventlog.NoAction, []byte("note")))), efi.Success)
		g.want("nothing to hash", g.call(slotHashLogExtendEvent, 0, 0, 0, ev), efi.InvalidParameter)
		g.want("no event", g.call(slotHashLogExtendEvent, 0, data, len(text), 0), efi.InvalidParameter)
		g.want("PCR 24", g.call(slotHashLogExtendEvent, 0, data, len(text), g.Bytes(event(24, eventlog.IPL, nil))), efi.InvalidParameter)
		short := event(11, eventlog.IPL, nil)
		short[0] = 17
		g.want("a short event", g.call(slotHashLogExtendEvent, 0, data, len(text), g.Bytes(short)), efi.InvalidParameter)
		g.want("beyond memory", g.call(slotHashLogExtendEvent, 0, data, uint64(1)<<62, ev), efi.InvalidParameter)
	})
	events := tpm.Events()
	// The guest's own image is the first.
	if len(events) != 4 {
		t.Fatalf("%d events", len(events))
	}
	parsed, err := pecoff.Parse(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := parsed.Authenticode(pecoff.AsIs, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	want := map[int][]byte{1: eventlog.SHA256.Sum(text), 2: sums[0], 3: make([]byte, 32)}
	for i, sum := range want {
		if got := events[i].Digest(eventlog.SHA256); !bytes.Equal(got, sum) {
			t.Errorf("event %d has %x, want %x", i, got, sum)
		}
	}
	zero := make([]byte, 32)
	once := eventlog.SHA256.Extend(zero, eventlog.SHA256.Sum(text))
	if got, want := tpm.PCRs()[eventlog.SHA256][11], eventlog.SHA256.Extend(once, eventlog.SHA256.Sum(text)); !bytes.Equal(got, want) {
		t.Errorf("PCR 11 is %x, want %x", got, want)
	}
	if got := tpm.PCRs()[eventlog.SHA256][9]; !bytes.Equal(got, zero) {
		t.Errorf("EV_NO_ACTION has extended PCR 9: %x", got)
	}
	var unlogged int
	for _, m := range tpm.Measurements() {
		if m.Unlogged {
			unlogged++
		}
	}
	if n := len(tpm.Measurements()); n != 4 || unlogged != 1 {
		t.Errorf("%d measurements, %d of them unlogged", n, unlogged)
	}
}

// logOf asks for the log and parses it.
func (g *guest) logOf(format int) (*eventlog.Log, bool) {
	at, last, truncated := g.Bytes(make([]byte, 8)), g.Bytes(make([]byte, 8)), g.Bytes([]byte{0xff})
	g.want("GetEventLog", g.call(slotGetEventLog, format, at, last, truncated), efi.Success)
	start, end := efi.Addr(g.word(at)), efi.Addr(g.word(last))
	raw := g.read(start, 1<<17)
	for n := int(end-start) + 1; n <= len(raw); n++ {
		if log, err := eventlog.Parse(raw[:n]); err == nil {
			return log, g.read(truncated, 1)[0] != 0
		}
	}
	g.T.Fatalf("no log at %v up to %v", start, end)
	return nil, false
}

func (g *guest) word(at efi.Addr) uint64 { return binary.LittleEndian.Uint64(g.read(at, 8)) }

func TestGetEventLog(t *testing.T) {
	before := eventlog.NewLog(eventlog.SHA1, eventlog.SHA256)
	before.Events = append(before.Events, eventlog.New(before.Algorithms(), 7, eventlog.Separator, make([]byte, 4), make([]byte, 4)))
	const tag = "test: kexec"
	tpm := inGuest(t, tcg2.Options{Log: before, Tag: tag}, func(g *guest) {
		data := g.Bytes([]byte("x"))
		final, ok := g.Machine.ConfigurationTable(efi.TCG2FinalEventsTableGUID)
		if !ok {
			t.Fatal("no final events table")
		}
		g.want("before", g.call(slotHashLogExtendEvent, 0, data, 1, g.Bytes(event(8, eventlog.IPL, []byte("one")))), efi.Success)
		log, truncated := g.logOf(2)
		// The separator, the guest's image, the event, and a tag before each of the two.
		if len(log.Events) != 5 || truncated || len(log.Banks) != 2 {
			t.Fatalf("%d events in %d banks, truncated %v", len(log.Events), len(log.Banks), truncated)
		}
		if want := eventlog.KexecEvent(log.Algorithms(), 8, tag); !bytes.Equal(log.Events[3].Append(nil), want.Append(nil)) {
			t.Errorf("before PCR 8 comes %+v", log.Events[3])
		}
		if legacy, _ := g.logOf(1); !legacy.Legacy || len(legacy.Events) != 5 || !bytes.Equal(legacy.Events[4].Data, []byte("one")) {
			t.Errorf("the older format has %+v", legacy)
		}
		g.want("after", g.call(slotHashLogExtendEvent, 0, data, 1, g.Bytes(event(8, eventlog.IPL, []byte("two")))), efi.Success)
		finals, err := eventlog.ParseFinal(g.read(final, 32<<10), log.Banks)
		if err != nil || len(finals) != 1 || string(finals[0].Data) != "two" {
			t.Errorf("final events: %+v, %v", finals, err)
		}
		g.want("a format that there is not", g.call(slotGetEventLog, 4, data, data, data), efi.InvalidParameter)

		// A full log: extended all the same.
		big := g.Bytes(event(8, eventlog.IPL, make([]byte, 60<<10)))
		g.want("fits", g.call(slotHashLogExtendEvent, 0, data, 1, big), efi.VolumeFull) // the final events table is smaller
		g.want("full", g.call(slotHashLogExtendEvent, 0, data, 1, big), efi.VolumeFull)
		if _, truncated := g.logOf(2); !truncated {
			t.Error("the log is not truncated")
		}
		g.want("more than any log", g.call(slotHashLogExtendEvent, 0, data, 1, g.Bytes(event(8, eventlog.IPL, make([]byte, 65<<10)))), efi.VolumeFull)
	})
	one := eventlog.SHA256.Sum([]byte("x"))
	want := eventlog.SHA256.Extend(make([]byte, 32), eventlog.SHA256.Sum([]byte(tag)))
	for range 5 {
		want = eventlog.SHA256.Extend(want, one)
	}
	if got := tpm.PCRs()[eventlog.SHA256][8]; !bytes.Equal(got, want) {
		t.Errorf("PCR 8 is %x, want %x", got, want)
	}
}

// commands is a TPM that answers with what it was sent.
type commands struct{ err error }

func (c commands) Send(b []byte) ([]byte, error) { return append(b, "answer"...), c.err }

func TestSubmitCommand(t *testing.T) {
	command := []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8}
	submit := func(transport tcg2.Transport, room int, status efi.Status) (answer []byte) {
		inGuest(t, tcg2.Options{Transport: transport}, func(g *guest) {
			in, out := g.Bytes(command), g.Bytes(make([]byte, 64))
			g.want("SubmitCommand", g.call(slotSubmitCommand, len(command), in, room, out), status)
			answer = g.read(out, 64)
			g.want("too short", g.call(slotSubmitCommand, 9, in, 64, out), efi.InvalidParameter)
			g.want("too long", g.call(slotSubmitCommand, 4097, in, 64, out), efi.InvalidParameter)
			g.want("no answer wanted", g.call(slotSubmitCommand, len(command), in, 0, 0), efi.InvalidParameter)
		})
		return answer
	}
	if got := submit(nil, 64, efi.Success); !bytes.HasPrefix(got, []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 0x43, 0}) {
		t.Errorf("without a TPM: %x", got)
	}
	if got := submit(commands{}, 64, efi.Success); !bytes.HasPrefix(got, append(command, "answer"...)) {
		t.Errorf("with one: %x", got)
	}
	submit(commands{}, 4, efi.BufferTooSmall)
	submit(commands{errors.New("gone")}, 64, efi.DeviceError)
}

func TestBanks(t *testing.T) {
	inGuest(t, tcg2.Options{Banks: []eventlog.Algorithm{eventlog.SHA256}}, func(g *guest) {
		out := g.Bytes(make([]byte, 8))
		g.want("GetActivePcrBanks", g.call(slotGetActivePCRBanks, out), efi.Success)
		if got := g.word(out); got != 2 {
			t.Errorf("active are %#x", got)
		}
		g.want("the same", g.call(slotSetActivePCRBanks, 2), efi.Success)
		g.want("one that there is not", g.call(slotSetActivePCRBanks, 3), efi.InvalidParameter)
		g.want("none", g.call(slotSetActivePCRBanks, 0), efi.InvalidParameter)
		g.want("GetResult", g.call(slotGetResult, out, out+4), efi.Success)
		if got := g.word(out); got != 0 {
			t.Errorf("a change of banks: %#x", got)
		}
		g.want("without SHA-1 there is no older format", g.call(slotGetEventLog, 1, out, 0, 0), efi.InvalidParameter)
	})
	for _, banks := range [][]eventlog.Algorithm{{}, {eventlog.SM3_256}, {eventlog.SHA1, eventlog.SHA1}} {
		if _, err := tcg2.New(tcg2.Options{Banks: banks}); err == nil {
			t.Errorf("banks %v", banks)
		}
	}
	if _, err := tcg2.New(tcg2.Options{Log: &eventlog.Log{Legacy: true}}); err == nil {
		t.Error("a log of a TPM 1.2")
	}
}

// Whatever a guest passes, a call returns a status, and the log stays one.
func FuzzServices(f *testing.F) {
	f.Add(uint8(slotHashLogExtendEvent), uint64(0), uint64(0x100000), uint64(16), uint64(0x100000), []byte("event"))
	f.Add(uint8(slotGetEventLog), uint64(2), uint64(0), uint64(0), uint64(0), []byte{})
	f.Add(uint8(slotSubmitCommand), uint64(12), uint64(0x200000), uint64(1)<<40, uint64(0x200000), []byte{0x80, 1})
	f.Fuzz(func(t *testing.T, slot uint8, a, b, c, d uint64, raw []byte) {
		tpm := inGuest(t, tcg2.Options{}, func(g *guest) {
			at := uint64(g.Bytes(append(raw, make([]byte, 64)...)))
			for _, args := range [][]any{{a, b, c, d}, {a, at, c, at}, {a, at, uint64(len(raw)), at}, {at, at, at, at}} {
				g.call(int(slot%7), args...)
			}
		})
		if _, err := eventlog.Parse(tpm.Log().Append(nil)); err != nil {
			t.Error(err)
		}
	})
}

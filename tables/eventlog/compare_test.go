// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// wantDifference is a difference and what its text says.
type wantDifference struct {
	kind            DifferenceKind
	predicted, real int
	text            []string
}

func checkDifferences(t *testing.T, name string, got []Difference, want []wantDifference) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d differences, want %d:\n%v", name, len(got), len(want), got)
		return
	}
	for i, w := range want {
		d := got[i]
		if d.Kind != w.kind || d.Predicted != w.predicted || d.Real != w.real {
			t.Errorf("%s: %d is %v %d %d %q, want %v %d %d", name, i, d.Kind, d.Predicted, d.Real, d.Text, w.kind, w.predicted, w.real)
		}
		for _, text := range w.text {
			if !strings.Contains(d.Text, text) {
				t.Errorf("%s: %d says %q, want %q", name, i, d.Text, text)
			}
		}
	}
}

func commandLine(s string) Event { return measured(12, IPL, string(wide(s+"\x00"))) }

func TestCompareChanged(t *testing.T) {
	image := func(file, contents string) Event {
		return told(4, EFIBootServicesApplication, contents, imageData(uint64(len(contents)), espPath(file)))
	}
	variable := func(pcr uint32, typ EventType, vendor efi.GUID, name, data string) Event {
		return measured(pcr, typ, string(variableEvent(vendor, name, data)))
	}
	initrd := func(contents string) Event {
		return told(9, EventTag, contents, taggedData(tagInitrd, []byte("Linux initrd\x00")))
	}
	for _, c := range []struct {
		predicted, real Event
		text            string
	}{
		{commandLine("b"), commandLine("a"), `PCR 12: the command line measured was "a", predicted "b": it was edited in the boot menu or an addon differs`},
		{image(`\EFI\Y`, "1234"), image(`\EFI\X`, "123"), `PCR 4: another image was loaded: \EFI\X (3 bytes) in place of \EFI\Y (4 bytes): the file on the ESP is not the one that was predicted from`},
		{image(`\EFI\Y`, "1234"), image(`\EFI\Y`, "123"), `PCR 4: image \EFI\Y differs: 3 bytes were loaded, 4 bytes predicted: the file`},
		{image(`\EFI\Y`, "1234"), image(`\EFI\Y`, "abcd"), `PCR 4: image \EFI\Y differs: the file on the ESP`},
		{section(".linux", "a")[1], section(".linux", "b")[1], "PCR 11: contents of section .linux differ: the unified kernel image"},
		{initrd("a"), initrd("b"), "PCR 9: the kernel's initrd differs: the initrd was built anew, or credentials, extensions or the boot secret"},
		{
			told(4, EFIBootServicesApplication, "a", imageData(9, efi.DevicePath{efi.VendorMedia(efi.SystemdStubPayloadGUID)})),
			told(4, EFIBootServicesApplication, "b", imageData(8, efi.DevicePath{efi.VendorMedia(efi.SystemdStubPayloadGUID)})),
			"PCR 4: the kernel inside the unified kernel image differs: 8 bytes were loaded, 9 bytes predicted: the unified kernel image is not",
		},
		{measured(5, EFIGPTEvent, string(gptData(testDisk, "a"))), measured(5, EFIGPTEvent, string(gptData(testDisk, "b"))), "PCR 5: the partition table differs: that of disk 11111111"},
		{
			variable(7, EFIVariableDriverConfig, efi.GlobalVariableGUID, "SecureBoot", "\x01"), variable(7, EFIVariableDriverConfig, efi.GlobalVariableGUID, "SecureBoot", "\x00"),
			"PCR 7: Secure Boot variable SecureBoot measured was off, predicted on: Secure Boot was switched",
		},
		{
			variable(7, EFIVariableDriverConfig, efi.ImageSecurityDatabaseGUID, "db", "abc"), variable(7, EFIVariableDriverConfig, efi.ImageSecurityDatabaseGUID, "db", "a"),
			"PCR 7: Secure Boot variable db of ImageSecurityDatabase measured was 1 byte, predicted 3 bytes: keys",
		},
		{
			variable(7, EFIVariableAuthority, efi.ImageSecurityDatabaseGUID, "db", "abc"), variable(7, EFIVariableAuthority, efi.ImageSecurityDatabaseGUID, "db", "xyz"),
			"PCR 7: Secure Boot variable db of ImageSecurityDatabase differs: another certificate",
		},
		{
			variable(7, EFIVariableAuthority, efi.ImageSecurityDatabaseGUID, "db", "abc"), variable(7, EFIVariableAuthority, efi.ShimLockProtocolGUID, "MokList", "xyz"),
			"PCR 7: Secure Boot variable MokList of ShimLockProtocol was measured in place of Secure Boot variable db of ImageSecurityDatabase",
		},
		{
			variable(1, EFIVariableBoot, efi.GlobalVariableGUID, "BootOrder", "\x01\x00"), variable(1, EFIVariableBoot, efi.GlobalVariableGUID, "BootOrder", "\x02\x00"),
			"PCR 1: variable BootOrder measured was 0002, predicted 0001: boot entries",
		},
		{told(8, IPL, "linux a", []byte("grub_cmd: linux a\x00")), told(8, IPL, "linux b", []byte("grub_cmd: linux b\x00")), `PCR 8: the GRUB command measured was "linux b", predicted "linux a": grub.cfg`},
		{measured(0, SCRTMVersion, "1.0"), measured(0, SCRTMVersion, "1.1"), `PCR 0: version of the firmware measured was "1.1", predicted "1.0": the firmware was updated`},
		{measured(3, Separator, "\x00\x00\x00\x00"), measured(3, Separator, "\x01\x00\x00\x00"), "PCR 3: the separator measured was 01000000, predicted 0x0: the firmware's own set-up failed"},
		{told(1, PlatformConfigFlags, "a", []byte("ACPI DATA")), told(1, PlatformConfigFlags, "b", []byte("ACPI DATA")), `PCR 1: EV_PLATFORM_CONFIG_FLAGS: "ACPI DATA" differs: the firmware`},
		{told(12, IPL, "a", wide("Credentials initrd\x00")), told(12, IPL, "b", wide("Credentials initrd\x00")), "PCR 12: Credentials initrd differs: files *.cred"},
		{Event{Type: NoAction, Data: []byte("StartupLocality\x00\x00")}, Event{Type: NoAction, Data: []byte("StartupLocality\x00\x03")}, "PCR 0: startup locality measured was 3, predicted 0"},
		{measured(4, IPL, "a"), New([]Algorithm{SHA384}, 4, IPL, []byte("a"), []byte("a")), "cannot be compared: the digests are of different banks"},
	} {
		got := Compare([]Event{c.predicted}, []Event{c.real}, nil)
		checkDifferences(t, c.text, got, []wantDifference{{Changed, 0, 0, []string{c.text}}})
	}
}

func TestCompare(t *testing.T) {
	const invoke, success, failure = "Exit Boot Services Invocation", "Exit Boot Services Returned with Success", "Exit Boot Services Returned with Failure"
	act := func(s string) Event { return measured(5, EFIAction, s) }
	ipl := func(s string) Event { return measured(6, IPL, s) }
	a, b, c, d := ipl("a"), ipl("b"), ipl("c"), ipl("d")
	otherPCR := measured(3, IPL, "x")
	credentials := func(s string) Event { return told(12, IPL, s, wide("Credentials initrd\x00")) }
	both := New([]Algorithm{SHA1, SHA256}, 6, IPL, []byte("a"), nil)
	half := both
	half.Digests = []Digest{{SHA1, make([]byte, 20)}, both.Digests[1]}

	for name, k := range map[string]struct {
		predicted, real []Event
		unpredictable   []int
		want            []wantDifference
	}{
		"nothing":                   {},
		"equal":                     {[]Event{a, b, c}, []Event{a, b, c}, nil, nil},
		"one more":                  {[]Event{a, c}, []Event{a, b, c}, nil, []wantDifference{{Unexpected, -1, 1, []string{`PCR 6: the real boot measured in addition: boot loader: "b"`}}}},
		"one less":                  {[]Event{a, b, c}, []Event{a, c}, nil, []wantDifference{{Missing, 1, -1, []string{`PCR 6: was not measured in the real boot: boot loader: "b"`}}}},
		"all more":                  {nil, []Event{a, otherPCR}, nil, []wantDifference{{Unexpected, -1, 0, nil}, {Unexpected, -1, 1, []string{"PCR 3"}}}},
		"in order of the log":       {[]Event{a, otherPCR, b}, []Event{a}, nil, []wantDifference{{Missing, 1, -1, nil}, {Missing, 2, -1, nil}}},
		"order alone":               {[]Event{a, b, c, d}, []Event{a, c, b, d}, nil, []wantDifference{{Reordered, -2, -2, []string{"PCR 6: was measured in another order: boot loader: ", "the same events in another order make another PCR"}}}},
		"order between PCRs":        {[]Event{a, otherPCR, b}, []Event{otherPCR, a, b}, nil, nil},
		"another event of its kind": {[]Event{a, b}, []Event{a, c}, nil, []wantDifference{{Changed, 1, 1, []string{`PCR 6: EV_IPL measured was "c", predicted "b": `}}}},
		"another phase":             {[]Event{measured(11, IPL, "sysinit")}, []Event{measured(11, IPL, "ready")}, nil, []wantDifference{{Missing, 0, -1, []string{`boot phase "sysinit"`}}, {Unexpected, -1, 0, []string{`boot phase "ready"`, "another phase"}}}},
		"data alone":                {[]Event{told(4, IPL, "a", []byte("x"))}, []Event{told(4, IPL, "a", []byte("y"))}, nil, nil},
		"type alone":                {[]Event{measured(4, IPL, "a")}, []Event{measured(4, CompactHash, "a")}, nil, []wantDifference{{Missing, 0, -1, nil}, {Unexpected, -1, 0, nil}}},
		"PCR alone":                 {[]Event{measured(4, IPL, "a")}, []Event{measured(5, IPL, "a")}, nil, []wantDifference{{Missing, 0, -1, []string{"PCR 4"}}, {Unexpected, -1, 0, []string{"PCR 5"}}}},
		"a bank more":               {[]Event{a}, []Event{both}, nil, nil},
		"one bank differs":          {[]Event{both}, []Event{half}, nil, []wantDifference{{Changed, 0, 0, nil}}},
		"not extended":              {[]Event{{Type: NoAction, Data: []byte("x")}, a}, []Event{a, {PCR: 6, Type: IPL}}, nil, nil},
		"unpredictable":             {[]Event{a, credentials("1"), commandLine("x")}, []Event{a, credentials("2"), commandLine("y")}, []int{1}, []wantDifference{{Changed, 2, 2, nil}}},
		"unpredictable, not there":  {[]Event{a, credentials("1")}, []Event{a}, []int{1}, []wantDifference{{Missing, 1, -1, nil}}},
		"unpredictable, and another of its PCR": {
			[]Event{credentials("1")},
			[]Event{commandLine("x"), credentials("2")},
			[]int{0},
			[]wantDifference{{Unexpected, -1, 0, []string{`command line "x"`}}},
		},
		"unpredictable, of another type": {[]Event{a}, []Event{measured(6, EFIAction, "a")}, []int{0}, []wantDifference{{Missing, 0, -1, nil}, {Unexpected, -1, 0, nil}}},
		"ExitBootServices fails once": {[]Event{act(invoke), act(success)}, []Event{act(invoke), act(failure), act(invoke), act(success)}, nil, []wantDifference{
			{Unexpected, -1, 1, []string{"is normal"}}, {Unexpected, -1, 2, []string{"is normal"}},
		}},
		"the log ends before": {[]Event{act(invoke), act(success)}, nil, nil, []wantDifference{
			{Missing, 0, -1, []string{"lacks the final events"}}, {Missing, 1, -1, []string{"lacks the final events"}},
		}},
		"an addon more": {section(".linux", "a"), append(section(".linux", "a"), commandLine("b")), nil, []wantDifference{{Unexpected, -1, 2, []string{`command line "b"`, "an addon differs"}}}},
		"a stub of another version": {[]Event{told(4, EFIBootServicesApplication, "a", imageData(9, efi.DevicePath{efi.VendorMedia(efi.SystemdStubPayloadGUID)}))}, nil, nil, []wantDifference{
			{Missing, 0, -1, []string{"stubs differ in whether they load it"}},
		}},
		"kexec": {[]Event{act(invoke), act(success)}, []Event{KexecEvent(sha256Alone, 5, "uefiexec: kexec")}, nil, []wantDifference{{Missing, 0, -1, nil}, {Missing, 1, -1, nil}, {Unexpected, -1, 0, []string{"went through kexec"}}}},
		"a section less": {slices.Concat(section(".linux", "a"), section(".osrel", "b"), section(".sbat", "c")), slices.Concat(section(".linux", "x"), section(".sbat", "c")), nil, []wantDifference{
			{Changed, 1, 1, []string{"contents of section .linux"}}, {Missing, 2, -1, []string{"name of section .osrel"}}, {Missing, 3, -1, []string{"contents of section .osrel"}},
		}},
	} {
		got := Compare(k.predicted, k.real, func(i int) bool { return slices.Contains(k.unpredictable, i) })
		if name == "order alone" { // of two events that change places, either is the one that moved
			if len(got) == 1 && got[0].Predicted+got[0].Real == 3 && min(got[0].Predicted, got[0].Real) == 1 {
				got[0].Predicted, got[0].Real = -2, -2
			}
		}
		checkDifferences(t, name, got, k.want)
		for _, difference := range got {
			checkLine(t, difference.Text, 1000)
		}
	}
}

// TestCompareIsBounded compares logs of many events that all differ: of two PCRs
// the first events are compared, of the third none are.
func TestCompareIsBounded(t *testing.T) {
	const n = 18000
	var predicted, real []Event
	for i := range n {
		predicted = append(predicted, measured(uint32(i%3), IPL, string(pack(uint32(i), "p"))))
		real = append(real, measured(uint32(i%3), IPL, string(pack(uint32(i), "r"))))
	}
	kinds := map[DifferenceKind]int{}
	for _, d := range Compare(predicted, real, func(int) bool { return false }) {
		kinds[d.Kind]++
		if d.Kind != Uncompared {
			continue
		}
		first, left := 3*maxGap+int(d.PCR), "2000 events predicted and 2000 events measured"
		if d.PCR == 2 {
			first, left = 2, "6000 events predicted and 6000 events measured"
		}
		if d.Predicted != first || d.Real != first || !strings.Contains(d.Text, left) {
			t.Errorf("%+v, want %d, %s", d, first, left)
		}
	}
	if kinds[Uncompared] != 3 || kinds[Missing]+kinds[Unexpected]+2*kinds[Changed] != 4*maxGap {
		t.Errorf("%v", kinds)
	}
	// What is equal at the start and the end does not count.
	same := slices.Concat(predicted[:n/2], []Event{measured(0, IPL, "new")}, predicted[n/2:])
	checkDifferences(t, "one more", Compare(predicted, same, nil), []wantDifference{{Unexpected, -1, n / 2, nil}})
}

// TestCompareHostile has the most banks in events that cannot be told apart soon,
// of which each may go with each.
func TestCompareHostile(t *testing.T) {
	var predicted, real []Event
	for i := range maxGap {
		p, r := Event{PCR: 1, Type: IPL}, Event{PCR: 1, Type: IPL}
		for a := range Algorithm(maxBanks) {
			p.Digests = append(p.Digests, Digest{a, []byte("p")})
			r.Digests = append(r.Digests, Digest{a, pack(uint32(i))})
		}
		predicted, real = append(predicted, p), append(real, r)
	}
	if got := Compare(predicted, real, func(int) bool { return true }); len(got) != 0 {
		t.Errorf("%d differences, the first %v", len(got), got[0])
	}
}

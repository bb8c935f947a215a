// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"os"
	"testing"
)

// TestGuestIMA is a part of TestHandOverIMA that runs in the guest: it prints the
// list of IMA's that an earlier kernel has left, as this kernel's loader has told
// it, and whether this kernel has memory there.
func TestGuestIMA(t *testing.T) {
	if !*inGuest {
		return // it is for a guest of TestHandOverIMA
	}
	root := os.DirFS("/")
	tree, err := readDeviceTree(root)
	if err != nil {
		t.Fatal(err)
	}
	list := tree.handedOver()
	if list == nil {
		t.Fatal("nothing is handed over")
	}
	host, err := ReadHost(root)
	if err != nil {
		t.Fatal(err)
	}
	if !host.hasRAM(list[0]) {
		t.Errorf("%v stays reserved", list[0])
	}
	head, err := readMemoryAt(root, list[0].Start, imaHeader)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	version, size, entries := le.Uint64(head), le.Uint64(head[8:]), le.Uint64(head[16:])
	if size > list[0].Size() {
		t.Fatalf("%d bytes in %v", size, list[0])
	}
	raw, err := readMemoryAt(root, list[0].Start, int(size))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("version %d, %d entries: %x", version, entries, raw[imaHeader:])
}

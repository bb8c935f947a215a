// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/u-root/u-root/pkg/dt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// IMAList is what Linux's IMA has measured, in the binary form of IMAFile.
type IMAList struct {
	Entries int
	Bytes   []byte
}

// IMAFile is where Linux shows IMA's list, from the root folder.
const IMAFile = "sys/kernel/security/ima/binary_runtime_measurements"

// MaxIMAList bounds IMA's list, in bytes.
const MaxIMAList = 64 << 20

// imaRoom is the room for what is measured until the list is taken, in bytes,
// beside as much again as there is.
const imaRoom = 256 << 10

// imaHeader is the size of Linux's struct ima_kexec_hdr (security/integrity/ima/ima.h):
// a version, 6 bytes that are reserved, the size with the header, the number of
// entries.
const (
	imaHeader  = 24
	imaVersion = 1
)

// ReadIMA looks how long IMA's list is, so that Prepare makes room for it and
// tells the next kernel where, by linux,ima-kexec-buffer in the device tree. The
// list itself is taken later: Options.IMA. It is called before Prepare. Without a
// device tree that describes the machine, or without a list, nothing is done: then
// the list ends with the running kernel.
func (h *Host) ReadIMA(root fs.FS) error {
	if tree, err := parseDeviceTree(h.DeviceTree); err != nil || !tree.describes() {
		return nil
	}
	file, err := root.Open(IMAFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kexec: IMA's list: %w", err)
	}
	defer file.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(file, MaxIMAList+1))
	if err != nil {
		return fmt.Errorf("kexec: IMA's list: %w", err)
	}
	if n > MaxIMAList {
		return fmt.Errorf("kexec: IMA's list: over %d bytes", MaxIMAList)
	}
	if n > 0 {
		h.IMARoom = imaHeader + 2*uint64(n) + imaRoom
	}
	return nil
}

// withIMA takes the room for IMA's list, and returns the device tree that says
// where it is.
func (h *Host) withIMA(m *emu.Machine) ([]byte, error) {
	// To a kernel that is RAM in use, which it gives back when it has read the list.
	room, err := reserveData(m, h.IMARoom)
	if err != nil {
		return nil, err
	}
	tree, err := parseDeviceTree(h.DeviceTree)
	if err != nil {
		return nil, err
	}
	c := tree.chosen()
	if c == nil {
		c = dt.NewNode("chosen")
		tree.RootNode.Children = append(tree.RootNode.Children, c)
	}
	c.UpdateProperty(imaProperty, tree.reg(room))
	return tree.flatten()
}

// IMABuffer is where the kernel of a payload looks for IMA's list, and false if
// it does not: there is no room for one, or the payload has put a device tree of
// its own into the place of the machine's.
func IMABuffer(handoff *emu.Handoff) (efi.Range, bool) {
	at, ok := handoff.ConfigurationTable(efi.DTBTableGUID)
	if !ok {
		return efi.Range{}, false
	}
	head, err := handoff.Read(at, 8)
	if err != nil {
		return efi.Range{}, false
	}
	raw, err := handoff.Read(at, uint64(min(binary.BigEndian.Uint32(head[4:]), maxDeviceTree)))
	if err != nil {
		return efi.Range{}, false
	}
	tree, err := parseDeviceTree(raw)
	if err != nil {
		return efi.Range{}, false
	}
	list := tree.handedOver()
	if list == nil || !slices.Contains(handoff.Reserved, list[0]) {
		return efi.Range{}, false
	}
	return list[0], true
}

// setIMA puts IMA's list where the payload's kernel looks for it.
func setIMA(handoff *emu.Handoff, list *IMAList) error {
	room, ok := IMABuffer(handoff)
	if !ok {
		return errors.New("kexec: IMA's list: the payload's kernel looks for none")
	}
	size := uint64(imaHeader + len(list.Bytes))
	if size > room.Size() {
		return fmt.Errorf("kexec: IMA's list of %d bytes does not fit into %v: run the image again, here", len(list.Bytes), room)
	}
	le := binary.LittleEndian
	b := le.AppendUint64(nil, imaVersion)
	b = le.AppendUint64(b, size)
	b = le.AppendUint64(b, uint64(list.Entries))
	if err := handoff.Write(room.Start, append(b, list.Bytes...)); err != nil {
		return fmt.Errorf("kexec: IMA's list: %w", err)
	}
	return nil
}

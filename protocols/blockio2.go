// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// blockIO2Protocol are the rows of EFI_BLOCK_IO2_PROTOCOL (§13.10).
var blockIO2Protocol = emu.Protocol{
	GUID: efi.BlockIO2ProtocolGUID,
	Name: "BlockIO2",
	Services: []emu.Service{
		emu.Field("Media"),
		emu.Func2("Reset", block2Reset, "this", "extendedVerification"),
		emu.Func6("ReadBlocksEx", block2Read, "this", "mediaId", "lba", "&token", "bufferSize", "buffer"),
		emu.Func6("WriteBlocksEx", block2Write, "this", "mediaId", "lba", "&token", "bufferSize", "buffer"),
		emu.Func2("FlushBlocksEx", block2Flush, "this", "&token"),
	},
}

// blockToken is EFI_BLOCK_IO2_TOKEN (§13.10.3).
type blockToken struct {
	Event             efi.Event
	TransactionStatus efi.Status
}

// blockIO2 is what an interface of BlockIO2 stands for.
type blockIO2 struct{ blockDevice }

// BlockIO2 makes an EFI_BLOCK_IO2_PROTOCOL (§13.10) of what BlockIO with the same
// arguments makes one of, and belongs on its handle. What is asked for is done
// when the service returns; the token's event is signalled then.
func BlockIO2(r io.ReaderAt, size int64, opts BlockOptions) emu.Interface {
	d := blockIO2{newBlockDevice(r, size, opts)}
	return emu.Interface{Protocol: &blockIO2Protocol, Value: d, Fields: func(m *emu.Machine) ([]uint64, error) {
		media, err := d.media(m)
		return []uint64{media}, err
	}}
}

// finish tells how something went that was asked for with a token: in the token,
// if it has an event. What is wrong with the arguments is told at once.
func finish(c *emu.Call, token efi.Ptr[blockToken], err error) error {
	status := emu.StatusOf(err)
	if token == 0 || err != nil && status != efi.DeviceError {
		return err
	}
	t, terr := mem.Load(c.Memory(), token)
	if terr != nil {
		return terr
	}
	if t.Event == 0 {
		return err
	}
	if err != nil {
		c.Notef("%v", err)
	}
	t.TransactionStatus = status
	if err := mem.Store(c.Memory(), token, t); err != nil {
		return err
	}
	return c.Machine().Signal(t.Event)
}

// block2Reset has nothing to do (§13.10.2).
func block2Reset(c *emu.Call, this efi.Addr, _ efi.Boolean) error {
	_, err := emu.This[blockIO2](c, this)
	return err
}

// block2Read reads sectors as ReadBlocks does (§13.10.3). InvalidParameter, too:
// a token whose event is none.
func block2Read(c *emu.Call, this efi.Addr, media uint32, lba uint64, token efi.Ptr[blockToken], size uint64, buffer efi.Addr) error {
	d, err := emu.This[blockIO2](c, this)
	if err != nil {
		return err
	}
	return finish(c, token, d.readBlocks(c, media, lba, size, buffer))
}

// block2Write writes sectors as WriteBlocks does (§13.10.4).
func block2Write(c *emu.Call, this efi.Addr, media uint32, lba uint64, token efi.Ptr[blockToken], size uint64, buffer efi.Addr) error {
	d, err := emu.This[blockIO2](c, this)
	if err != nil {
		return err
	}
	return finish(c, token, d.writeBlocks(c, media, lba, size, buffer))
}

// block2Flush has nothing to do (§13.10.5).
func block2Flush(c *emu.Call, this efi.Addr, token efi.Ptr[blockToken]) error {
	if _, err := emu.This[blockIO2](c, this); err != nil {
		return err
	}
	return finish(c, token, nil)
}

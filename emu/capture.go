// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/pecoff"
)

// ErrNoKernel says that what exited boot services is no Linux kernel whose file
// is known.
var ErrNoKernel = errors.New("emu: no Linux kernel has exited boot services")

// Kernel is the file of the Linux kernel that has exited boot services, byte for
// byte as it was signed: the image itself that was loaded, or the .linux section
// of the unified kernel image whose stub started it without LoadImage. Which
// profile's that is, the stub has said in the variable StubProfile.
//
// It goes by marks that anybody can put into an image, and what the payload had in
// memory is read there as it was left: who depends on it checks the signature.
// What was found may be another program that looks like a kernel, such as
// memtest86+. The reader can be used until Close, and as long as the one that
// Boot was given.
func (h *Handoff) Kernel() (*io.SectionReader, error) {
	switch {
	case h.kernel != nil:
		return h.kernel, nil
	case h.noKernel != nil:
		return nil, h.noKernel
	}
	return nil, ErrNoKernel
}

// isKernel tells the images whose files are kept: kernels.
func isKernel(k pecoff.Kind) bool {
	return k == pecoff.KindBzImage || k == pecoff.KindARM64Image || k == pecoff.KindZboot
}

// keep notes where a kernel can be found later, should this image exit boot
// services. The reader's bytes must not change; others' are not kept.
func (image *Image) keep(p *pecoff.Image, r io.ReaderAt, size int64) {
	switch k := p.Kind(); {
	case isKernel(k):
		image.file = io.NewSectionReader(r, 0, size)
	case k == pecoff.KindUKI:
		image.profiles = p.Profiles()
	}
}

// fileBuffer is a file in guest memory, with a checksum if there was to be one: it
// may be freed and used for something else. Against changes that are meant it
// protects nothing.
type fileBuffer struct {
	at     efi.Addr
	size   uint64
	sum    uint32
	summed bool
}

// keepBuffer is for a file that is the guest's: a copy would cost more than all
// else about LoadImage.
func (image *Image) keepBuffer(at efi.Addr, data *io.SectionReader, check bool) error {
	if image.file == nil {
		return nil
	}
	image.file, image.buffer = nil, fileBuffer{at: at, size: uint64(data.Size()), summed: check}
	if !check {
		return nil
	}
	sum := newChecksum()
	_, err := io.Copy(sum, data)
	image.buffer.sum = sum.Sum32()
	return err
}

func newChecksum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// capture finds the kernel that has exited boot services.
func (m *Machine) capture() (*io.SectionReader, error) {
	image, ok := m.images[m.exitedBy]
	if !ok {
		return nil, fmt.Errorf("%w: %s has, which LoadImage did not make", ErrNoKernel, m.describe(m.exitedBy))
	}
	var data []byte
	var err error
	switch {
	case image.file != nil:
		return image.file, nil
	case image.buffer.size > 0:
		data, err = m.captureBuffer(image.buffer)
	case image.profiles != nil:
		data, err = m.captureSection(image)
	default:
		return nil, fmt.Errorf("%w: %s has", ErrNoKernel, image.name)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s has, and %w", ErrNoKernel, image.name, err)
	}
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), nil
}

// captureBuffer reads a kernel where LoadImage has found it.
func (m *Machine) captureBuffer(f fileBuffer) ([]byte, error) {
	if !f.summed {
		return nil, errors.New("was loaded from a buffer, which Config.KeepKernel would have kept")
	}
	data, err := m.mem.Read(f.at, f.size)
	sum := newChecksum()
	sum.Write(data)
	if err == nil && sum.Sum32() != f.sum {
		err = errors.New("what it was loaded from has changed since")
	}
	return data, err
}

// captureSection finds the kernel in a unified kernel image.
func (m *Machine) captureSection(image *Image) ([]byte, error) {
	number := 0
	if v, err := m.vars.Get("StubProfile", efi.SystemdLoaderGUID); err == nil {
		text := efi.DecodeString(v.Data)
		if number, err = strconv.Atoi(text); err != nil || number < 0 || number >= len(image.profiles) {
			return nil, fmt.Errorf("it has no profile %q", text)
		}
	}
	s, ok := image.profiles[number].Section(".linux")
	if !ok {
		return nil, fmt.Errorf("its profile %d has no .linux", number)
	}
	data, err := m.mem.Read(image.mapped.Start+efi.Addr(s.VirtualAddress), uint64(s.MappedSize()))
	if err != nil {
		return nil, fmt.Errorf("its .linux: %w", err)
	}
	switch kernel, err := pecoff.Parse(bytes.NewReader(data), int64(len(data))); {
	case err != nil:
		return nil, fmt.Errorf("its .linux: %w", err)
	case !isKernel(kernel.Kind()):
		return nil, fmt.Errorf("its .linux is of kind %v", kernel.Kind())
	}
	return data, nil
}

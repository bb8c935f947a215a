// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"bytes"
	"errors"
	"fmt"
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
// It goes by marks that anybody can put into an image, and a section is read
// from the frozen memory: who depends on the contents checks the signature.
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

// keepCopy is for bytes that are the guest's.
func (image *Image) keepCopy(data []byte) {
	if image.file != nil {
		image.file = io.NewSectionReader(bytes.NewReader(bytes.Clone(data)), 0, int64(len(data)))
	}
}

// capture finds the kernel that has exited boot services.
func (m *Machine) capture() (*io.SectionReader, error) {
	image := m.exitedBy
	switch {
	case image.file != nil:
		return image.file, nil
	case image.profiles == nil:
		return nil, fmt.Errorf("%w: %s has", ErrNoKernel, image.name)
	}
	kernel, err := m.captureSection(image)
	if err != nil {
		return nil, fmt.Errorf("%w: %s has, and %w", ErrNoKernel, image.name, err)
	}
	return kernel, nil
}

// captureSection finds the kernel in a unified kernel image.
func (m *Machine) captureSection(image *Image) (*io.SectionReader, error) {
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
	r := bytes.NewReader(data)
	switch kernel, err := pecoff.Parse(r, r.Size()); {
	case err != nil:
		return nil, fmt.Errorf("its .linux: %w", err)
	case !isKernel(kernel.Kind()):
		return nil, fmt.Errorf("its .linux is of kind %v", kernel.Kind())
	}
	return io.NewSectionReader(r, 0, r.Size()), nil
}

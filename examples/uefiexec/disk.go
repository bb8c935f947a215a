// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// machineDisk is the disk that the volume lies on; whole is nil if there is none.
type machineDisk struct {
	whole  *io.SectionReader
	sector uint32         // bytes
	gpt    *protocols.GPT // if it has one
	disk   efi.DevicePath // of the volume on it
	onDisk bool           // the files of the volume are those of the disk
}

// openDisk takes a file as the machine's disk. If there is no volume yet, it is
// that of the EFI system partition, of another that holds one, or the whole disk.
func (s *source) openDisk(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, file)
	size, err := file.Seek(0, io.SeekEnd) // a device's size is in no os.FileInfo
	if err != nil {
		return err
	}
	s.whole = io.NewSectionReader(file, 0, size)
	bus := protocols.DefaultDisk()
	bus = bus[:len(bus)-1]
	layout, err := protocols.ReadDiskLayout(s.whole, size, 0)
	if errors.Is(err, protocols.ErrNoPartitions) && s.volume == nil {
		s.sector, s.disk = 512, bus
		if s.openFAT(0, size) == nil {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.sector, s.gpt = layout.SectorSize, layout.GPT
	system, ok := layout.System()
	if s.volume == nil {
		var why error
		for _, p := range append([]protocols.DiskPartition{system}, layout.Partitions...) {
			err := s.openFAT(int64(p.First)*int64(s.sector), int64(p.Sectors)*int64(s.sector))
			switch {
			case err == nil:
				s.disk = append(bus, p.Path...)
				return nil
			case why == nil && p.System && !errors.Is(err, fat.ErrFormat):
				why = err
			}
		}
		if why != nil {
			return fmt.Errorf("%s: EFI system partition: %w", name, why)
		}
	}
	if !ok {
		return fmt.Errorf("%s: none of its %d partitions is an EFI system partition", name, len(layout.Partitions))
	}
	s.disk = append(bus, system.Path...)
	return nil
}

// openFAT makes a part of the disk the volume.
func (s *source) openFAT(at, size int64) error {
	f, err := fat.Open(io.NewSectionReader(s.whole, at, size), size)
	if err == nil {
		s.volume, s.options, s.onDisk = f, protocols.FATOptions(f), true
	}
	return err
}

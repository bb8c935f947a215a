// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// esrtVersion is the version of EFI_SYSTEM_RESOURCE_TABLE (§23.4) that there is,
// and maxResources how many entries Linux takes.
const (
	esrtVersion  = 1
	maxResources = 128
)

// readESRT makes the table of what firmware can be updated (§23.4) again of what
// the kernel shows of it: the table itself is no longer where it was. What cannot
// be read whole is left out.
func readESRT(root fs.FS) []byte {
	table, err := esrt(root, "sys/firmware/efi/esrt/entries")
	if err != nil {
		return nil
	}
	return table
}

func esrt(root fs.FS, dir string) ([]byte, error) {
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 || len(entries) > maxResources {
		return nil, fmt.Errorf("%d resources", len(entries))
	}
	le := binary.LittleEndian
	table := le.AppendUint32(nil, uint32(len(entries)))
	table = le.AppendUint32(table, uint32(len(entries)))
	table = le.AppendUint64(table, esrtVersion)
	for i := range entries {
		entry := fmt.Sprintf("%s/entry%d/", dir, i)
		class, err := fs.ReadFile(root, entry+"fw_class")
		if err != nil {
			return nil, err
		}
		guid, err := efi.ParseGUID(strings.TrimSpace(string(class)))
		if err != nil {
			return nil, err
		}
		raw := guid.Bytes()
		table = append(table, raw[:]...)
		for _, name := range []string{
			"fw_type", "fw_version", "lowest_supported_fw_version",
			"capsule_flags", "last_attempt_version", "last_attempt_status",
		} {
			text, err := fs.ReadFile(root, entry+name)
			if err != nil {
				return nil, err
			}
			v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 0, 32)
			if err != nil {
				return nil, errors.New(entry + name + " is no number")
			}
			table = le.AppendUint32(table, uint32(v))
		}
	}
	return table, nil
}

// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

const (
	// ConfigurationTableSize is the size of one entry in guest memory, in bytes.
	ConfigurationTableSize = 24

	// MaxConfigurationTables is how many entries ConfigurationTables holds at
	// most, so that a guest that installs without end meets an error.
	MaxConfigurationTables = 1024
)

// ConfigurationTables is the list that the system table points at (§4.6), in
// the order of installation. The zero value is empty.
type ConfigurationTables struct {
	entries []efi.ConfigurationTable
}

// Install puts table under guid, at the end of the list or in the place of the
// table that guid has; a table of zero takes guid off the list, and those after
// it move up (§7.5.6).
//
// NotFound: a table of zero, and guid has none. OutOfResources: there are
// MaxConfigurationTables.
func (c *ConfigurationTables) Install(guid efi.GUID, table efi.Addr) error {
	i := c.find(guid)
	switch {
	case i >= 0 && table == 0:
		c.entries = slices.Delete(c.entries, i, i+1)
	case i >= 0:
		c.entries[i].VendorTable = table
	case table == 0:
		return fmt.Errorf("remove configuration table %v: %w", guid, efi.NotFound)
	case len(c.entries) >= MaxConfigurationTables:
		return fmt.Errorf("%d configuration tables: %w", len(c.entries), efi.OutOfResources)
	default:
		c.entries = append(c.entries, efi.ConfigurationTable{VendorGUID: guid, VendorTable: table})
	}
	return nil
}

// Get is the table of guid.
func (c *ConfigurationTables) Get(guid efi.GUID) (efi.Addr, bool) {
	if i := c.find(guid); i >= 0 {
		return c.entries[i].VendorTable, true
	}
	return 0, false
}

// Len is the number of tables.
func (c *ConfigurationTables) Len() int { return len(c.entries) }

// Entries is a copy of the list.
func (c *ConfigurationTables) Entries() []efi.ConfigurationTable { return slices.Clone(c.entries) }

// Marshal is the list as bytes, ConfigurationTableSize for each.
func (c *ConfigurationTables) Marshal() []byte {
	b := make([]byte, 0, len(c.entries)*ConfigurationTableSize)
	for _, e := range c.entries {
		guid := e.VendorGUID.Bytes()
		b = append(b, guid[:]...)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.VendorTable))
	}
	return b
}

// Clone is a copy that shares nothing with c.
func (c *ConfigurationTables) Clone() *ConfigurationTables {
	return &ConfigurationTables{entries: slices.Clone(c.entries)}
}

func (c *ConfigurationTables) find(guid efi.GUID) int {
	return slices.IndexFunc(c.entries, func(e efi.ConfigurationTable) bool { return e.VendorGUID == guid })
}

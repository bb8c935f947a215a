// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"errors"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

func TestWithhold(t *testing.T) {
	const mib = 1 << 20
	m, err := NewMemoryMap([]efi.MemoryDescriptor{{Type: efi.ConventionalMemory, NumberOfPages: 1024}})
	if err != nil {
		t.Fatal(err)
	}
	low := efi.Range{End: mib}
	before, key := m.Descriptors(), m.Key()
	if err := m.Withhold(low); err != nil {
		t.Fatal(err)
	}
	if after := m.Descriptors(); len(after) != 1 || after[0] != before[0] || m.Key() != key {
		t.Errorf("the map shows it: %v, key %d, was %d", after, m.Key(), key)
	}
	if at, err := m.AllocatePages(efi.AllocateMaxAddress, efi.LoaderData, 1, mib-1); !errors.Is(err, efi.OutOfResources) {
		t.Errorf("a page at %v, %v", at, err)
	}
	if _, err := m.AllocatePages(efi.AllocateAddress, efi.LoaderData, 1, 0x8000); !errors.Is(err, efi.NotFound) {
		t.Errorf("a page by its address: %v", err)
	}
	if at, err := m.AllocatePages(efi.AllocateAnyPages, efi.LoaderData, 768, 0); err != nil || at != mib {
		t.Errorf("all the others: %v, %v", at, err)
	}
	if err := m.Withhold(efi.Range{End: 2 * mib}); !errors.Is(err, efi.NotFound) {
		t.Errorf("withhold what is in use: %v", err)
	}
	if err := m.Convert(low, efi.ConventionalMemory); err != nil {
		t.Fatal(err)
	}
	if _, err := m.AllocatePages(efi.AllocateAddress, efi.LoaderData, 1, 0x8000); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
}

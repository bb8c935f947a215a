// SPDX-License-Identifier: BSD-3-Clause

package efi

import "fmt"

// PageSize is the size of an EFI page on every architecture (§7.2), in bytes.
const PageSize = 4096

// Addr is an address in the guest. The guest's memory is identity mapped
// (§2.3.4), so it is at once virtual and physical. It is never a Go pointer.
type Addr uint64

// Add returns a+n, and false if that wraps.
func (a Addr) Add(n uint64) (Addr, bool) {
	sum := a + Addr(n)
	return sum, sum >= a
}

// PageDown rounds down to a page.
func (a Addr) PageDown() Addr { return a &^ (PageSize - 1) }

// PageAligned reports whether a is the first byte of a page.
func (a Addr) PageAligned() bool { return a%PageSize == 0 }

func (a Addr) String() string { return fmt.Sprintf("%#x", uint64(a)) }

// Pages is the number of pages that hold n bytes.
func Pages(n uint64) uint64 {
	pages := n / PageSize
	if n%PageSize != 0 {
		pages++
	}
	return pages
}

// Ptr is an Addr at which the specification puts a T, a structure of fixed
// size. It carries no promise that the guest did put one there.
type Ptr[T any] Addr

// Addr is p without its type.
func (p Ptr[T]) Addr() Addr { return Addr(p) }

// Pointee returns a new, zero T, for code that has to know what p points at
// when the type is no longer at hand, such as a trace.
func (p Ptr[T]) Pointee() any { return new(T) }

func (p Ptr[T]) String() string { return Addr(p).String() }

// Range is the half-open interval [Start, End) of guest addresses.
type Range struct{ Start, End Addr }

// RangeOf returns the n bytes at a, and false if they wrap.
func RangeOf(a Addr, n uint64) (Range, bool) {
	end, ok := a.Add(n)
	return Range{a, end}, ok
}

// Size is the length in bytes; an inverted range has none.
func (r Range) Size() uint64 {
	if r.End <= r.Start {
		return 0
	}
	return uint64(r.End - r.Start)
}

// Contains reports whether a lies in r.
func (r Range) Contains(a Addr) bool { return r.Start <= a && a < r.End }

// Covers reports whether all of s lies in r.
func (r Range) Covers(s Range) bool { return r.Start <= s.Start && s.End <= r.End }

// Overlaps reports whether r and s share an address.
func (r Range) Overlaps(s Range) bool {
	return r.Start < s.End && s.Start < r.End && r.Size() > 0 && s.Size() > 0
}

func (r Range) String() string {
	return fmt.Sprintf("[%#x, %#x)", uint64(r.Start), uint64(r.End))
}

// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"cmp"
	"fmt"
	"slices"
)

// Range is memory from Start up to End.
type Range struct{ Start, End uint64 }

func (r Range) String() string { return fmt.Sprintf("[%#x, %#x)", r.Start, r.End) }

// pages reports whether r is one page or more, whole.
func (r Range) pages() bool {
	return r.Start%pageSize == 0 && r.End%pageSize == 0 && r.Start < r.End
}

func sorted(ranges []Range) []Range {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	return ranges
}

// union is the memory of all ranges, in ascending order, what touches in one.
func union(ranges []Range) []Range {
	var all []Range
	for _, r := range sorted(ranges) {
		if n := len(all); n > 0 && r.Start <= all[n-1].End {
			all[n-1].End = max(all[n-1].End, r.End)
		} else if r.Start < r.End {
			all = append(all, r)
		}
	}
	return all
}

// disjoint finds two of the ranges that overlap.
func disjoint(ranges []Range) error {
	all := sorted(ranges)
	for i := 1; i < len(all); i++ {
		if all[i].Start < all[i-1].End {
			return fmt.Errorf("%v and %v overlap", all[i-1], all[i])
		}
	}
	return nil
}

// covers reports whether r lies in one of the ranges, which union has made.
func covers(ranges []Range, r Range) bool {
	i, found := slices.BinarySearchFunc(ranges, r.Start, func(x Range, at uint64) int { return cmp.Compare(x.Start, at) })
	if !found {
		i--
	}
	return i >= 0 && r.Start < r.End && r.End <= ranges[i].End
}

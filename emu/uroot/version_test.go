// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"cmp"
	_ "embed"
	"slices"
	"strings"
	"testing"
)

// The examples of the specification, in its words.
const versionExamples = `
11 == 11
systemd-123 == systemd-123
bar-123 < foo-123
123a > 123
123.a > 123
123.a < 123.b
123a > 123.a
11α == 11β
B < a
'' < 0
0. > 0
0.0 > 0
0 > ~
'' > ~
1_ == 1
_1 == 1
1_ < 1.2
1_2_3 > 1.3.3
1+ == 1
+1 == 1
1+ < 1.2
1+2+3 > 1.3.3
`

// Examples that the specification does not have.
const moreVersions = `
6.12.107+deb13-cloud-amd64 > 6.12.96+deb13-cloud-amd64
6.1.0 < 6.12.0
6.12.0~rc1 < 6.12.0
99999999999999999999999999 < 100000000000000000000000000
007 == 7
1-0 > 1-
1-_a < 1-a
1-0a > 1-a
0 > a
~ < ~~
١ == ''
`

// Each is lower than all that follow.
const versionChain = `122.1 < 123~rc1-1 < 123 < 123-a < 123-a.1 < 123-1 < 123-1.1 < 123^post1 < 123.a-1 < 123.1-1 < 123a-1 < 124-1`

// The order of systemd 252, as systemd-analyze compare-versions printed it.
//
//go:embed testdata/versions.txt
var systemdVersions string

func TestCompareVersions(t *testing.T) {
	for line := range strings.Lines(versionExamples + moreVersions + systemdVersions) {
		f := strings.Fields(strings.ReplaceAll(line, "''", "\x00"))
		if len(f) == 0 {
			continue
		}
		a, b := strings.Trim(f[0], "\x00"), strings.Trim(f[2], "\x00")
		want := map[string]int{"<": -1, "==": 0, ">": +1}[f[1]]
		if got := CompareVersions(a, b); got != want {
			t.Errorf("%q is %d to %q: want %s", a, got, b, f[1])
		}
		if got := CompareVersions(b, a); got != -want {
			t.Errorf("%q is %d to %q, the other way round", b, got, a)
		}
	}
}

func TestCompareVersionsChain(t *testing.T) {
	chain := strings.Split(versionChain, " < ")
	for i, a := range chain {
		for k, b := range chain {
			if got := CompareVersions(a, b); got != cmp.Compare(i, k) {
				t.Errorf("%q is %d to %q", a, got, b)
			}
		}
	}
}

// All strings of up to three characters, one of each kind: sorted, each is
// lower than or equal to all that follow, and the equal ones lie together.
func TestCompareVersionsIsAnOrder(t *testing.T) {
	all := []string{""}
	for from, n := 0, 0; n < 3; n++ {
		to := len(all)
		for _, s := range all[from:to] {
			for _, c := range "~-^._01aB" {
				all = append(all, s+string(c))
			}
		}
		from = to
	}
	slices.SortFunc(all, CompareVersions)
	for i := range all {
		equal := true
		for k := i; k < len(all); k++ {
			c := CompareVersions(all[i], all[k])
			if c > 0 || c == 0 && !equal || c != -CompareVersions(all[k], all[i]) {
				t.Fatalf("%q and %q, sorted: %d", all[i], all[k], c)
			}
			equal = c == 0
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1-_a", "1-0a", "1-a")
	f.Add("1^0", "1^", "1^-1")
	f.Add("6.12.107+deb13", "6.12.0~rc1-1", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, bc, ac := CompareVersions(a, b), CompareVersions(b, c), CompareVersions(a, c)
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q is not equal to itself", a)
		}
		if ba := CompareVersions(b, a); ba != -ab {
			t.Errorf("%q, %q: %d and %d", a, b, ab, ba)
		}
		if ab <= 0 && bc <= 0 && (ac > 0 || ac == 0 && ab+bc < 0) {
			t.Errorf("%q, %q, %q: %d, %d, %d", a, b, c, ab, bc, ac)
		}
	})
}

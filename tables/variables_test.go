// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

const (
	nv = efi.VariableNonVolatile
	bs = efi.VariableBootServiceAccess
	rt = efi.VariableRuntimeAccess
	hr = efi.VariableHardwareErrorRecord
	aw = efi.VariableAuthenticatedWriteAccess
	at = efi.VariableTimeBasedAuthenticatedWriteAccess
	ap = efi.VariableAppendWrite
	ea = efi.VariableEnhancedAuthenticatedAccess
)

var (
	global    = efi.GUID{Data1: 0x8be4df61, Data2: 0x93ca, Data3: 0x11d2, Data4: [8]byte{0xaa, 0x0d, 0, 0xe0, 0x98, 0x03, 0x2b, 0x8c}}
	hwErrGUID = efi.GUID{Data1: 0x414e6bdd, Data2: 0xe47b, Data3: 0x47cc, Data4: [8]byte{0xb2, 0x44, 0xbb, 0x61, 0x02, 0x0c, 0xf5, 0x16}}
)

// stocked is a store with one variable of each kind that Set treats apart.
func stocked(t testing.TB) *Variables {
	t.Helper()
	v := &Variables{}
	for _, x := range []Variable{
		{Name: "Boot", Attributes: bs},
		{Name: "Run", Attributes: bs | rt},
		{Name: "Keep", Attributes: nv | bs | rt},
		{Name: "KeepBoot", Attributes: nv | bs},
		{Name: "SecureBoot", Attributes: bs | rt, ReadOnly: true},
		{Name: "db", Attributes: nv | bs | rt | at},
		{Name: "HwErrRec0001", GUID: hwErrGUID, Attributes: nv | bs | rt | hr},
	} {
		x.Data = []byte("old")
		if err := v.Define(x); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func TestSetVariable(t *testing.T) {
	zero := efi.GUID{}
	tests := []struct {
		name  string
		vn    string
		guid  efi.GUID
		attrs efi.VariableAttribute
		data  string
		want  string // data after it; "" is that there is none
		err   efi.Status
	}{
		{"create", "New", zero, bs, "new", "new", efi.Success},
		{"create non-volatile", "New", zero, nv | bs | rt, "new", "new", efi.Success},
		{"same name, other GUID", "Boot", global, bs | rt, "new", "new", efi.Success},
		{"overwrite", "Boot", zero, bs, "new", "new", efi.Success},
		{"append", "Boot", zero, bs | ap, "new", "oldnew", efi.Success},
		{"append to nothing", "New", zero, bs | ap, "new", "new", efi.Success},
		{"append nothing", "Boot", zero, bs | ap, "", "old", efi.Success},
		{"append nothing to nothing", "New", zero, bs | ap, "", "", efi.Success},
		{"delete by attributes", "Boot", zero, 0, "", "", efi.Success},
		{"delete by attributes, with data", "Boot", zero, 0, "new", "", efi.Success},
		{"delete by size", "Boot", zero, bs, "", "", efi.Success},
		{"delete nothing by attributes", "New", zero, 0, "new", "", efi.NotFound},
		{"delete nothing by size", "New", zero, nv | bs, "", "", efi.NotFound},
		{"other attributes", "Boot", zero, bs | rt, "new", "old", efi.InvalidParameter},
		{"other attributes, delete by size", "Boot", zero, nv | bs, "", "old", efi.InvalidParameter},
		{"other attributes, append", "Boot", zero, bs | rt | ap, "new", "old", efi.InvalidParameter},

		{"runtime alone", "New", zero, rt, "new", "", efi.InvalidParameter},
		{"runtime and non-volatile", "New", zero, nv | rt, "new", "", efi.InvalidParameter},
		{"non-volatile alone", "New", zero, nv, "new", "", efi.InvalidParameter},
		{"append alone", "Boot", zero, ap, "new", "old", efi.InvalidParameter},
		{"unknown attribute", "New", zero, bs | 0x100, "new", "", efi.InvalidParameter},
		{"no name", "", zero, bs, "new", "", efi.InvalidParameter},
		{"NUL in the name", "N\x00w", zero, bs, "new", "", efi.InvalidParameter},
		{"name of no encoding", "N\xff", zero, bs, "new", "", efi.InvalidParameter},
		{"longest name", strings.Repeat("n", 511), zero, bs, "new", "new", efi.Success},
		{"name too long", strings.Repeat("n", 512), zero, bs, "new", "", efi.InvalidParameter},
		{"longest", "N", zero, bs, strings.Repeat("x", 64<<10-4), strings.Repeat("x", 64<<10-4), efi.Success},
		{"too long", "N", zero, bs, strings.Repeat("x", 64<<10-3), "", efi.InvalidParameter},
		{"too long by append", "Boot", zero, bs | ap, strings.Repeat("x", 64<<10-12), "old", efi.InvalidParameter},

		{"read-only", "SecureBoot", zero, bs | rt, "new", "old", efi.WriteProtected},
		{"read-only, delete", "SecureBoot", zero, 0, "", "old", efi.WriteProtected},
		{"read-only, other attributes", "SecureBoot", zero, bs, "new", "old", efi.WriteProtected},
		{"withdrawn attribute", "New", zero, nv | bs | aw, "new", "", efi.Unsupported},
		{"authenticated, create", "New", zero, nv | bs | at, "new", "", efi.SecurityViolation},
		{"enhanced, create", "New", zero, nv | bs | ea, "new", "", efi.SecurityViolation},
		{"authenticated", "db", zero, nv | bs | rt | at, "new", "old", efi.SecurityViolation},
		{"authenticated, append", "db", zero, nv | bs | rt | at | ap, "new", "old", efi.SecurityViolation},
		{"authenticated, plain write", "db", zero, nv | bs | rt, "new", "old", efi.InvalidParameter},
		{"authenticated, plain delete", "db", zero, 0, "", "old", efi.WriteProtected},

		{"error record", "HwErrRec00AF", hwErrGUID, nv | bs | rt | hr, "new", "new", efi.Success},
		{"error record, delete", "HwErrRec0001", hwErrGUID, 0, "", "", efi.Success},
		{"error record, volatile", "HwErrRec00AF", hwErrGUID, bs | rt | hr, "new", "", efi.InvalidParameter},
		{"error record, other GUID", "HwErrRec00AF", global, nv | bs | rt | hr, "new", "", efi.InvalidParameter},
		{"error record, lower case", "HwErrRec00af", hwErrGUID, nv | bs | rt | hr, "new", "", efi.InvalidParameter},
		{"error record, long", "HwErrRec00AF0", hwErrGUID, nv | bs | rt | hr, "new", "", efi.InvalidParameter},
		{"error record's name", "HwErrRec00AF", hwErrGUID, nv | bs | rt, "new", "", efi.InvalidParameter},
		{"error record's GUID", "Other", hwErrGUID, nv | bs | rt, "new", "new", efi.Success},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := stocked(t)
			n := v.Len()
			wantStatus(t, v.Set(tt.vn, tt.guid, tt.attrs, []byte(tt.data)), tt.err)
			x, err := v.Get(tt.vn, tt.guid)
			if tt.want == "" {
				wantStatus(t, err, efi.NotFound)
			} else if err != nil || string(x.Data) != tt.want {
				t.Fatalf("afterwards %q, %v", x.Data, err)
			}
			if tt.err != efi.Success && v.Len() != n {
				t.Errorf("%d variables", v.Len())
			}
			if err == nil && x.Attributes&ap != 0 {
				t.Errorf("attributes %v", x.Attributes)
			}
		})
	}
}

func TestVariablesAtRuntime(t *testing.T) {
	tests := []struct {
		name  string
		vn    string
		attrs efi.VariableAttribute
		want  efi.Status
	}{
		{"non-volatile", "Keep", nv | bs | rt, efi.Success},
		{"non-volatile, delete", "Keep", 0, efi.Success},
		{"volatile", "Run", bs | rt, efi.WriteProtected},
		{"volatile, delete", "Run", 0, efi.WriteProtected},
		{"no runtime access", "KeepBoot", nv | bs, efi.WriteProtected},
		{"no access at all", "Boot", bs, efi.WriteProtected},
		{"create", "New", nv | bs | rt, efi.Success},
		{"create volatile", "New", bs | rt, efi.InvalidParameter},
		{"create for boot", "New", nv | bs, efi.InvalidParameter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := stocked(t)
			v.AtRuntime = true
			wantStatus(t, v.Set(tt.vn, efi.GUID{}, tt.attrs, []byte("new")), tt.want)
		})
	}

	v := stocked(t)
	if got := names(t, v); !slices.Equal(got, []string{"Boot", "Run", "Keep", "KeepBoot", "SecureBoot", "db", "HwErrRec0001"}) {
		t.Errorf("before: %v", got)
	}
	v.AtRuntime = true
	if got := names(t, v); !slices.Equal(got, []string{"Run", "Keep", "SecureBoot", "db", "HwErrRec0001"}) {
		t.Errorf("at runtime: %v", got)
	}
	_, err := v.Get("KeepBoot", efi.GUID{})
	wantStatus(t, err, efi.NotFound)
	_, _, err = v.Next("KeepBoot", efi.GUID{})
	wantStatus(t, err, efi.InvalidParameter)
	_, err = v.Info(nv | bs)
	wantStatus(t, err, efi.InvalidParameter)
	_, err = v.Info(nv | bs | rt)
	wantStatus(t, err, efi.Success)
}

// names walks v by Next.
func names(t testing.TB, v *Variables) []string {
	t.Helper()
	var got []string
	name, guid, err := v.Next("", efi.GUID{})
	for ; err == nil; name, guid, err = v.Next(name, guid) {
		if len(got) > v.Len() {
			t.Fatalf("Next goes in circles: %v", got)
		}
		got = append(got, name)
	}
	wantStatus(t, err, efi.NotFound)
	return got
}

func TestNextVariable(t *testing.T) {
	v := stocked(t)
	_, _, err := v.Next("Nobody", efi.GUID{})
	wantStatus(t, err, efi.InvalidParameter)
	_, _, err = v.Next("Boot", global)
	wantStatus(t, err, efi.InvalidParameter)
	wantStatus(t, v.Set("Run", efi.GUID{}, 0, nil), efi.Success)
	wantStatus(t, v.Set("Boot", efi.GUID{}, bs, []byte("longer than before")), efi.Success)
	wantStatus(t, v.Set("Run", efi.GUID{}, bs, []byte("again")), efi.Success)
	if got := names(t, v); !slices.Equal(got, []string{"Boot", "Keep", "KeepBoot", "SecureBoot", "db", "HwErrRec0001", "Run"}) {
		t.Errorf("got %v", got)
	}
	_, _, err = (&Variables{}).Next("", efi.GUID{})
	wantStatus(t, err, efi.NotFound)
}

func TestVariableInfo(t *testing.T) {
	v := &Variables{Limits: VariableLimits{MaxSize: 200, MaxStorage: 1007}}
	for _, tt := range []struct {
		attrs efi.VariableAttribute
		want  efi.Status
	}{
		{bs, efi.Success},
		{nv | bs | rt, efi.Success},
		{nv | bs | rt | hr, efi.Success},
		{0, efi.InvalidParameter},
		{rt, efi.InvalidParameter},
		{nv, efi.InvalidParameter},
		{bs | hr, efi.InvalidParameter},
		{bs | aw, efi.Unsupported},
		{bs | at, efi.Unsupported},
		{bs | ea, efi.Unsupported},
		{0x200, efi.Unsupported},
	} {
		_, err := v.Info(tt.attrs)
		wantStatus(t, err, tt.want)
	}
	fill := func(name string, size int) error {
		return v.Set(name, efi.GUID{}, bs, make([]byte, size))
	}
	if info, _ := v.Info(bs); info != (VariableInfo{1000, 1000, 200}) {
		t.Errorf("empty: %v", info)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		wantStatus(t, fill(name, 164), efi.Success)
	}
	if info, _ := v.Info(bs); info != (VariableInfo{1000, 200, 168}) {
		t.Errorf("with four: %v", info)
	}
	wantStatus(t, fill("e", 165), efi.OutOfResources)
	wantStatus(t, fill("e", 164), efi.Success)
	wantStatus(t, fill("f", 1), efi.OutOfResources)
	wantStatus(t, fill("a", 165), efi.OutOfResources)
	wantStatus(t, fill("a", 163), efi.Success)
	if info, _ := v.Info(bs); info != (VariableInfo{1000, 0, 0}) {
		t.Errorf("full: %v", info)
	}
	wantStatus(t, v.Set("a", efi.GUID{}, bs|ap, []byte("xx")), efi.OutOfResources)
	wantStatus(t, v.Set("a", efi.GUID{}, 0, nil), efi.Success)
	if info, _ := v.Info(bs); info.RemainingStorage != 200 {
		t.Errorf("after a delete: %v", info)
	}
}

func TestDefine(t *testing.T) {
	v := stocked(t)
	v.AtRuntime = true
	one := []byte{1}
	wantStatus(t, v.Define(Variable{Name: "SecureBoot", Attributes: bs | rt, Data: one, ReadOnly: true}), efi.Success)
	if x, err := v.Get("SecureBoot", efi.GUID{}); err != nil || !bytes.Equal(x.Data, one) || !x.ReadOnly {
		t.Errorf("got %v, %v", x, err)
	}
	one[0] = 2
	if x, _ := v.Get("SecureBoot", efi.GUID{}); x.Data[0] != 1 {
		t.Error("the store shares data with its caller")
	}
	for _, x := range []Variable{
		{Name: "", Attributes: bs, Data: one},
		{Name: "x", Attributes: 0, Data: one},
		{Name: "x", Attributes: rt, Data: one},
		{Name: "x", Attributes: bs | ap, Data: one},
		{Name: "x", Attributes: bs | 0x100, Data: one},
		{Name: "x", Attributes: bs},
		{Name: "x", Attributes: bs, Data: make([]byte, 1<<20)},
	} {
		wantStatus(t, v.Define(x), efi.InvalidParameter)
	}
	v.DeleteFunc(func(x Variable) bool { return x.Attributes&nv == 0 })
	v.AtRuntime = false
	if got := names(t, v); !slices.Equal(got, []string{"Keep", "KeepBoot", "db", "HwErrRec0001"}) {
		t.Errorf("left: %v", got)
	}
}

func TestVariablesClone(t *testing.T) {
	v := stocked(t)
	c := v.Clone()
	wantStatus(t, c.Set("Boot", efi.GUID{}, bs, []byte("new")), efi.Success)
	wantStatus(t, c.Set("Run", efi.GUID{}, 0, nil), efi.Success)
	if x, err := v.Get("Boot", efi.GUID{}); err != nil || string(x.Data) != "old" || v.Len() != c.Len()+1 {
		t.Errorf("the original has %v, %v", x, err)
	}
	if len(slices.Collect(c.All())) != c.Len() {
		t.Errorf("All is %v", slices.Collect(c.All()))
	}
}

func TestVariablesJSON(t *testing.T) {
	v := stocked(t)
	wantStatus(t, v.Set("<é\U0001f600>", global, nv|bs, []byte{0, 0xff}), efi.Success)
	wantStatus(t, v.Set("\xed\xa0\x80x", global, bs, []byte{1}), efi.Success)
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"name":"SecureBoot","guid":"00000000-0000-0000-0000-000000000000","attributes":"BS|RT","data":"6f6c64","readOnly":true}`,
		`{"nameUTF16":"00d87800","guid":"8be4df61-93ca-11d2-aa0d-00e098032b8c","attributes":"BS","data":"01"}`,
	} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("no %s in %s", want, raw)
		}
	}
	var back Variables
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, &back, v)
	if empty, err := json.Marshal(&Variables{}); err != nil || string(empty) != "[]" {
		t.Errorf("empty: %s, %v", empty, err)
	}

	for _, bad := range []string{
		``, `{}`, `[{}]`, `[]]`, `[] []`,
		`[{"name":"x","guid":"8be4df61","attributes":"BS","data":"00"}]`,
		`[{"name":"x","attributes":"BS","data":"0"}]`,
		`[{"name":"x","attributes":"BS","data":""}]`,
		`[{"name":"x","attributes":"","data":"00"}]`,
		`[{"name":"x","attributes":"BS|","data":"00"}]`,
		`[{"name":"x","attributes":"BS|XX","data":"00"}]`,
		`[{"name":"x","attributes":"BS|AP","data":"00"}]`,
		`[{"name":"x","attributes":"RT","data":"00"}]`,
		`[{"name":"x","attributes":"BS","data":"00","colour":1}]`,
		`[{"name":"x","nameUTF16":"7800","attributes":"BS","data":"00"}]`,
		`[{"nameUTF16":"7","attributes":"BS","data":"00"}]`,
		`[{"name":"x","attributes":"BS","data":"00"},{"name":"x","attributes":"BS","data":"00"}]`,
	} {
		v := stocked(t)
		if err := v.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
		wantEqual(t, v, stocked(t))
	}
}

// wantEqual compares two stores, with order and accounts.
func wantEqual(t testing.TB, got, want *Variables) {
	t.Helper()
	same := func(a, b Variable) bool {
		return a.Name == b.Name && a.GUID == b.GUID && a.Attributes == b.Attributes && a.ReadOnly == b.ReadOnly && bytes.Equal(a.Data, b.Data)
	}
	if !slices.EqualFunc(got.vars, want.vars, same) || got.used != want.used || len(got.index) != len(want.index) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestVariableImage(t *testing.T) {
	v := stocked(t)
	raw := v.MarshalImage()
	got, err := ParseImage(raw)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for x := range v.All() {
		if x.Attributes&rt != 0 {
			want = append(want, x.Name)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i, x := range got {
		if x.Name != want[i] || string(x.Data) != "old" {
			t.Errorf("variable %d is %v", i, x)
		}
	}
	if x := got[0]; x.Attributes != bs|rt || got[4].GUID != hwErrGUID {
		t.Errorf("got %v", got)
	}
	if more, err := ParseImage(append(raw, 1, 2, 3)); err != nil || len(more) != len(got) {
		t.Errorf("with bytes behind it: %v", err)
	}
	if vars, err := ParseImage((&Variables{}).MarshalImage()); err != nil || len(vars) != 0 {
		t.Errorf("empty: %v, %v", vars, err)
	}

	for i := range len(raw) {
		if _, err := ParseImage(raw[:i]); !errors.Is(err, efi.VolumeCorrupted) {
			t.Fatalf("%d bytes of %d: %v", i, len(raw), err)
		}
	}
	corrupt := func(offset int, b byte) error {
		c := bytes.Clone(raw)
		c[offset] = b
		_, err := ParseImage(c)
		return err
	}
	wantStatus(t, corrupt(0, 0), efi.VolumeCorrupted)
	wantStatus(t, corrupt(8, raw[8]-8), efi.VolumeCorrupted)
	wantStatus(t, corrupt(16, 2), efi.IncompatibleVersion)
	wantStatus(t, corrupt(20, 4), efi.VolumeCorrupted)
	wantStatus(t, corrupt(20, 6), efi.VolumeCorrupted)
	wantStatus(t, corrupt(imageHeader, byte(bs)), efi.VolumeCorrupted)
	wantStatus(t, corrupt(imageHeader+12, 1), efi.VolumeCorrupted)
	wantStatus(t, corrupt(imageHeader+4, 2), efi.VolumeCorrupted)
}

func FuzzParseImage(f *testing.F) {
	v := stocked(f)
	f.Add(v.MarshalImage())
	f.Add((&Variables{}).MarshalImage())
	f.Fuzz(func(t *testing.T, raw []byte) {
		vars, err := ParseImage(raw)
		if err != nil {
			return
		}
		v := &Variables{Limits: VariableLimits{MaxSize: 1 << 40, MaxStorage: 1 << 40, MaxName: 1 << 40}}
		for _, x := range vars {
			if err := v.Define(x); err != nil {
				t.Fatal(err)
			}
		}
		if back := v.MarshalImage(); len(vars) != v.Len() || !bytes.HasPrefix(raw, back) {
			t.Fatalf("parsed %x, marshalled %x", raw, back)
		}
	})
}

func FuzzVariableName(f *testing.F) {
	f.Add([]byte("B\x00o\x00o\x00t\x00\x00\x00x\x00"), "Boot")
	f.Add([]byte("\x3d\xd8\x00\xde\x00\xd8\x00\xd8\x00\xdc\x00\xdc"), "\xed\xa0\x80\xed\xb0\x80")
	f.Add([]byte("\x00\xdc\x00\xd8x"), "\xef\xbf\xbd\xef")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		want := raw[:len(raw)&^1]
		for i := 0; i < len(want); i += 2 {
			if want[i] == 0 && want[i+1] == 0 {
				want = want[:i]
			}
		}
		back, err := EncodeVariableName(DecodeVariableName(raw))
		if err != nil || !bytes.Equal(back, append(slices.Clone(want), 0, 0)) {
			t.Fatalf("%x came back as %x, %v", raw, back, err)
		}
		if b, err := EncodeVariableName(name); err == nil && DecodeVariableName(b) != name {
			t.Fatalf("%q came back as %q", name, DecodeVariableName(b))
		}
		if text := strings.ToValidUTF8(name, ""); !strings.Contains(text, "\x00") {
			if b, err := EncodeVariableName(text); err != nil || !bytes.Equal(b, efi.EncodeString(text)) {
				t.Fatalf("%q is %x, %v", text, b, err)
			}
		}
	})
}

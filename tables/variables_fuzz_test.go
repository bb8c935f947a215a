// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// varModel is what Variables should be, as one list.
type varModel struct {
	vars    []Variable
	runtime bool
}

const (
	modelMaxSize    = 48
	modelMaxStorage = 512
	modelMaxName    = 12
)

func (w *varModel) index(name string, guid efi.GUID) int {
	return slices.IndexFunc(w.vars, func(x Variable) bool { return x.Name == name && x.GUID == guid })
}

// cost of a variable with an ASCII name in the image.
func modelCost(x Variable) int {
	n := 32 + 2*len(x.Name) + 2 + len(x.Data)
	for n%8 != 0 {
		n++
	}
	return n
}

func (w *varModel) set(name string, guid efi.GUID, attrs efi.VariableAttribute, data []byte) efi.Status {
	if name == "" || len(name) > modelMaxName {
		return efi.InvalidParameter
	}
	if attrs > 0xff || attrs != 0 && attrs&bs == 0 || attrs&hr != 0 && attrs&(nv|bs|rt) != nv|bs|rt {
		return efi.InvalidParameter
	}
	if attrs&aw != 0 {
		return efi.Unsupported
	}
	record := name == "HwErrRec0A1F" && guid == hwErrGUID
	if attrs != 0 && record != (attrs&hr != 0) {
		return efi.InvalidParameter
	}
	i := w.index(name, guid)
	x := Variable{Name: name, GUID: guid, Attributes: attrs &^ ap, Data: data}
	if i >= 0 {
		old := w.vars[i]
		if old.ReadOnly || w.runtime && (old.Attributes&nv == 0 || old.Attributes&rt == 0) {
			return efi.WriteProtected
		}
		if attrs != 0 && old.Attributes != x.Attributes {
			return efi.InvalidParameter
		}
		if attrs == 0 && old.Attributes&at != 0 {
			return efi.WriteProtected
		}
		if attrs&ap != 0 {
			x.Data = slices.Concat(old.Data, data)
		}
	}
	if attrs&(at|ea) != 0 {
		return efi.SecurityViolation
	}
	if attrs&ap != 0 && len(data) == 0 {
		return efi.Success
	}
	if attrs == 0 || len(data) == 0 {
		if i < 0 {
			return efi.NotFound
		}
		w.vars = slices.Concat(w.vars[:i], w.vars[i+1:])
		return efi.Success
	}
	if i < 0 && w.runtime && (attrs&nv == 0 || attrs&rt == 0) {
		return efi.InvalidParameter
	}
	if 2*len(name)+2+len(x.Data) > modelMaxSize {
		return efi.InvalidParameter
	}
	after := slices.Clone(w.vars)
	if i < 0 {
		after = append(after, x)
	} else {
		after[i] = x
	}
	before, total := 0, 0
	for _, x := range w.vars {
		before += modelCost(x)
	}
	for _, x := range after {
		total += modelCost(x)
	}
	if total > modelMaxStorage && total > before {
		return efi.OutOfResources
	}
	w.vars = after
	return efi.Success
}

// FuzzVariables runs a stream of calls against the store and varModel.
func FuzzVariables(f *testing.F) {
	f.Add([]byte("\x00\x07abc" + "\x01\x07xyz" + "\x00\x47def" + "\x03\x00\x00" + "\x07"))
	f.Add([]byte("\x0d\x0fa" + "\x05\x27abcde" + "\x0e\x02" + "\x0f\x07abcdefgh"))
	vnames := []string{"a", "b", "c", "db", "RO", "HwErrRec0A1F", "name-is-long", "name-too-long", ""}
	sets := []efi.VariableAttribute{bs, bs | rt, nv | bs | rt, nv | bs, 0, nv | bs | rt | hr, nv | bs | rt | at, nv | bs | aw, rt, nv, 0x100 | bs, bs | hr, nv | bs | ea}
	guids := []efi.GUID{{}, global, hwErrGUID}
	f.Fuzz(func(t *testing.T, data []byte) {
		v := &Variables{Limits: VariableLimits{MaxSize: modelMaxSize, MaxStorage: modelMaxStorage, MaxName: modelMaxName}}
		w := &varModel{}
		for _, x := range []Variable{
			{Name: "RO", Attributes: bs | rt, Data: []byte{1}, ReadOnly: true},
			{Name: "db", Attributes: nv | bs | rt | at, Data: []byte{2}},
		} {
			if err := v.Define(x); err != nil {
				t.Fatal(err)
			}
			w.vars = append(w.vars, x)
		}
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b)
		}
		for len(data) > 0 {
			switch op := next(); op % 16 {
			default:
				name, guid := vnames[op/16%9], guids[next()%3]
				a := next()
				attrs := sets[a%13]
				if a >= 0x80 {
					attrs |= ap
				}
				n := min(next()%40, len(data))
				value := slices.Clone(data[:n])
				data = data[n:]
				err := v.Set(name, guid, attrs, value)
				if want := w.set(name, guid, attrs, value); want == efi.Success && err != nil || want != efi.Success {
					wantStatus(t, err, want)
				}
			case 12:
				w.runtime = w.runtime || next() == 0
				v.AtRuntime = w.runtime
			case 13:
				v = v.Clone()
			case 14:
				raw, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				back := &Variables{Limits: v.Limits, AtRuntime: v.AtRuntime}
				if err := json.Unmarshal(raw, back); err != nil {
					t.Fatal(err)
				}
				wantEqual(t, back, v)
				v = back
			case 15:
				compareImage(t, v, w)
			}
			compareVariables(t, v, w)
		}
	})
}

func compareVariables(t *testing.T, v *Variables, w *varModel) {
	t.Helper()
	want := &Variables{}
	var shown []string
	for _, x := range w.vars {
		want.vars = append(want.vars, x)
		want.used += uint64(modelCost(x))
		got, err := v.Get(x.Name, x.GUID)
		hidden := w.runtime && x.Attributes&rt == 0
		if hidden != (err != nil) || err == nil && string(got.Data) != string(x.Data) {
			t.Fatalf("%q is %v, %v, want %v", x.Name, got, err, x)
		}
		if !hidden {
			shown = append(shown, x.Name)
		}
	}
	want.reindex(0)
	wantEqual(t, v, want)
	if got := names(t, v); !slices.Equal(got, shown) {
		t.Fatalf("names %v, want %v", got, shown)
	}
	info, err := v.Info(nv | bs | rt)
	if err != nil || info.RemainingStorage != modelMaxStorage-want.used {
		t.Fatalf("info %v, %v, used %d", info, err, want.used)
	}
}

func compareImage(t *testing.T, v *Variables, w *varModel) {
	t.Helper()
	got, err := ParseImage(v.MarshalImage())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range w.vars {
		if x.Attributes&rt == 0 {
			continue
		}
		if len(got) == 0 || got[0].Name != x.Name || got[0].GUID != x.GUID || got[0].Attributes != x.Attributes || string(got[0].Data) != string(x.Data) {
			t.Fatalf("image has %v, want %v", got, x)
		}
		got = got[1:]
	}
	if len(got) > 0 {
		t.Fatalf("image has %v too", got)
	}
}

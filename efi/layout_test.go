// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"bufio"
	"encoding/binary"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// layouts are the structures whose layout is the specification's.
var layouts = structs(
	GUID{}, MemoryDescriptor{}, TableHeader{}, ConfigurationTable{}, SystemTable{}, BootServices{}, RuntimeServices{},
	LoadedImage{}, OpenProtocolInformationEntry{}, CapsuleHeader{}, SimpleTextOutputMode{}, InputKey{}, KeyState{}, KeyData{},
	FileInfo{}, FileSystemInfo{}, RTPropertiesTable{}, MemoryAttributesTable{}, Time{}, TimeCapabilities{}, sasInfo{},
	PCINode{}, PCCardNode{}, MemoryMappedNode{}, VendorHardwareNode{}, ControllerNode{}, BMCNode{},
	ACPINode{}, ACPIExtendedNode{}, ACPIADRNode{},
	ATAPINode{}, SCSINode{}, FibreChannelNode{}, FibreChannelExNode{}, FireWireNode{}, I2ONode{}, LogicalUnitNode{}, SATANode{},
	SASExNode{}, NVMeNode{}, UFSNode{}, SDNode{}, EMMCNode{}, USBNode{}, USBClassNode{}, USBWWIDNode{},
	InfiniBandNode{}, VendorMessagingNode{}, MACNode{}, IPv4Node{}, IPv6Node{}, UARTNode{}, ISCSINode{}, VLANNode{}, URINode{},
	BluetoothNode{}, WiFiNode{}, BluetoothLENode{}, DNSNode{},
	HardDriveNode{}, CDROMNode{}, VendorMediaNode{}, FilePathNode{}, MediaProtocolNode{}, FirmwareFileNode{},
	FirmwareVolumeNode{}, RelativeOffsetNode{}, RAMDiskNode{}, BBSNode{},
)

// notLaidOut are the structures that never lie in the guest's memory, or that
// are made of those above alone.
var notLaidOut = []string{
	"Range", "FormatError", "Node", "LoadOption",
	"nodePrinter", "nodeKind", "nodeEntry", "optionalText", "nodeParams", "sasNode",
}

func structs(values ...any) map[string]any {
	byName := make(map[string]any)
	for _, v := range values {
		byName[reflect.TypeOf(v).Name()] = v
	}
	return byName
}

// baseOffset is where in the original a structure of this package begins.
func baseOffset(v any) int {
	switch v.(type) {
	case NodeBody:
		return nodeHeaderSize
	case sasInfo:
		return nodeHeaderSize + binary.Size(GUID{})
	}
	return 0
}

type extent struct{ offset, size int }

// fieldExtents is where encoding/binary puts each named field, and under "-"
// the whole.
func fieldExtents(v any) map[string]extent {
	t := reflect.TypeOf(v)
	base := baseOffset(v)
	extents := make(map[string]extent)
	offset := base
	for i := range t.NumField() {
		f := t.Field(i)
		size := binary.Size(reflect.Zero(f.Type).Interface())
		if f.Name != "_" {
			extents[f.Name] = extent{offset, size}
		}
		offset += size
	}
	extents["-"] = extent{0, offset}
	return extents
}

func readTSV(t *testing.T, name string, columns int) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]string
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		row := strings.Split(lines.Text(), "\t")
		if len(row) != columns {
			t.Fatalf("%s:%d: %d columns, want %d", name, number, len(row), columns)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil || len(rows) == 0 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	return rows
}

func TestLayouts(t *testing.T) {
	want := make(map[string]map[string]extent)
	for _, row := range readTSV(t, "offsets.tsv", 6) {
		offset, err := strconv.Atoi(row[4])
		if err != nil {
			t.Fatal(err)
		}
		size, err := strconv.Atoi(row[5])
		if err != nil {
			t.Fatal(err)
		}
		if want[row[0]] == nil {
			want[row[0]] = make(map[string]extent)
		}
		want[row[0]][row[1]] = extent{offset, size}
	}
	for name, v := range layouts {
		if got := fieldExtents(v); !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want[name])
		}
	}
	for name := range want {
		if _, ok := layouts[name]; !ok {
			t.Errorf("offsets.tsv has %s, which is not looked at", name)
		}
	}
}

// sources are the files of the package, without the tests.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// TestLayoutsAreComplete fails when a structure is added that is in neither
// list.
func TestLayoutsAreComplete(t *testing.T) {
	known := make(map[string]bool)
	for name := range layouts {
		known[name] = true
	}
	for _, name := range notLaidOut {
		known[name] = true
	}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if _, ok := spec.Type.(*ast.StructType); ok && !known[spec.Name.Name] {
					t.Errorf("%s is in neither layouts nor notLaidOut", spec.Name.Name)
				}
			}
			return true
		})
	}
}

func TestMemoryDescriptorStride(t *testing.T) {
	if size := binary.Size(MemoryDescriptor{}); size != 40 || MemoryDescriptorSize <= size {
		t.Errorf("size %d, stride %d", size, MemoryDescriptorSize)
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The types of device path nodes (§10.3.1).
const (
	NodeHardware  uint8 = 0x01
	NodeACPI      uint8 = 0x02
	NodeMessaging uint8 = 0x03
	NodeMedia     uint8 = 0x04
	NodeBBS       uint8 = 0x05
	NodeEnd       uint8 = 0x7f
)

const (
	endInstance = 0x01
	endEntire   = 0xff

	nodeHeaderSize = 4
	// MaxNodeData is the most that a node holds behind its header, in bytes.
	MaxNodeData = 0xffff - nodeHeaderSize
)

// FormatError says what is wrong with a structure of variable size that the
// guest or a variable supplied. It wraps InvalidParameter, which is what a
// service answers then.
type FormatError struct {
	What    string // "device path", "load option"
	Offset  int    // of the part that is wrong, in bytes
	Problem string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("efi: %s: at byte %d: %s", e.What, e.Offset, e.Problem)
}

// Unwrap is InvalidParameter.
func (e *FormatError) Unwrap() error { return InvalidParameter }

// Node is a device path node (§10.3.1) without its length: what is behind the
// header is Data. A Node of a known kind is made by NewNode and taken apart by
// DecodeNode.
type Node struct {
	Type    uint8
	SubType uint8
	Data    []byte
}

// Equal reports whether n and m are the same, byte for byte.
func (n Node) Equal(m Node) bool {
	return n.Type == m.Type && n.SubType == m.SubType && bytes.Equal(n.Data, m.Data)
}

// IsEndInstance reports whether n ends one instance of a path with several.
func (n Node) IsEndInstance() bool { return n.Type == NodeEnd && n.SubType == endInstance }

// append appends the node as it lies in memory. Data beyond MaxNodeData is cut
// off.
func (n Node) append(b []byte) []byte {
	data := n.Data[:min(len(n.Data), MaxNodeData)]
	b = append(b, n.Type, n.SubType)
	b = binary.LittleEndian.AppendUint16(b, uint16(nodeHeaderSize+len(data)))
	return append(b, data...)
}

// DevicePath is an EFI_DEVICE_PATH_PROTOCOL (§10.2): the nodes from the first to
// the one before the node that ends the entire path, which is implied. Nodes
// that end an instance are nodes of the path.
type DevicePath []Node

// ParseDevicePath reads the device path at the start of b. It returns how many
// bytes the path takes up, its end node included. The nodes hold a copy.
//
// A *FormatError is returned when a node's length is less than a header or
// beyond b, when an end node is longer than a header, or when b ends before the
// path does. What the nodes hold is not looked at.
func ParseDevicePath(b []byte) (DevicePath, int, error) {
	size, count, err := scanDevicePath(b)
	if err != nil {
		return nil, 0, err
	}
	path := make(DevicePath, 0, count)
	rest := bytes.Clone(b[:size])
	for range count {
		length := binary.LittleEndian.Uint16(rest[2:])
		path = append(path, Node{rest[0], rest[1], rest[nodeHeaderSize:length:length]})
		rest = rest[length:]
	}
	return path, size, nil
}

// scanDevicePath returns the size in bytes and the number of nodes before the
// end node.
func scanDevicePath(b []byte) (size, count int, err error) {
	bad := func(format string, args ...any) error {
		return &FormatError{"device path", size, fmt.Sprintf(format, args...)}
	}
	for {
		rest := b[size:]
		if len(rest) < nodeHeaderSize {
			return 0, 0, bad("no end node within %d bytes", len(b))
		}
		length := int(binary.LittleEndian.Uint16(rest[2:]))
		if length < nodeHeaderSize {
			return 0, 0, bad("node length %d is less than a header", length)
		}
		if length > len(rest) {
			return 0, 0, bad("node length %d exceeds the %d bytes left", length, len(rest))
		}
		isEntire := rest[0] == NodeEnd && rest[1] == endEntire
		isInstance := rest[0] == NodeEnd && rest[1] == endInstance
		if (isEntire || isInstance) && length != nodeHeaderSize {
			return 0, 0, bad("node length %d of an end node", length)
		}
		size += length
		if isEntire {
			return size, count, nil
		}
		count++
	}
}

// Bytes is the path as it lies in memory, with its end node. Data beyond
// MaxNodeData is cut off.
func (p DevicePath) Bytes() []byte {
	var b []byte
	for _, n := range p {
		b = n.append(b)
	}
	return Node{Type: NodeEnd, SubType: endEntire}.append(b)
}

// Append returns a new path, p followed by nodes.
func (p DevicePath) Append(nodes ...Node) DevicePath {
	path := make(DevicePath, 0, len(p)+len(nodes))
	return append(append(path, p...), nodes...)
}

// Equal reports whether p and q are the same, byte for byte.
func (p DevicePath) Equal(q DevicePath) bool { return len(p) == len(q) && p.HasPrefix(q) }

// HasPrefix reports whether p begins with the nodes of q.
func (p DevicePath) HasPrefix(q DevicePath) bool {
	if len(p) < len(q) {
		return false
	}
	for i, n := range q {
		if !n.Equal(p[i]) {
			return false
		}
	}
	return true
}

// Instances splits a path at the nodes that end an instance (§10.2). A path
// without any is one instance.
func (p DevicePath) Instances() []DevicePath {
	var all []DevicePath
	start := 0
	for i, n := range p {
		if n.IsEndInstance() {
			all = append(all, p[start:i:i])
			start = i + 1
		}
	}
	return append(all, p[start:len(p):len(p)])
}

// JoinInstances makes one path out of several instances.
func JoinInstances(instances ...DevicePath) DevicePath {
	var path DevicePath
	for i, instance := range instances {
		if i > 0 {
			path = append(path, Node{Type: NodeEnd, SubType: endInstance})
		}
		path = append(path, instance...)
	}
	return path
}

// SPDX-License-Identifier: BSD-3-Clause

package efi

import "strings"

// FilePath is the FilePathNode of name, whose parts are divided by backslashes.
func FilePath(name string) Node { return NewNode(FilePathNode{}, EncodeString(name)...) }

// FilePathName is the name in a FilePathNode; false if n is none.
func (n Node) FilePathName() (string, bool) {
	_, tail, ok := DecodeNode[FilePathNode](n)
	return DecodeString(tail), ok
}

// SplitFile takes the file path nodes off the end of p. file is their names
// joined by JoinFilePath, and empty if there are none.
func (p DevicePath) SplitFile() (device DevicePath, file string) {
	start := len(p)
	for start > 0 {
		if _, ok := p[start-1].FilePathName(); !ok {
			break
		}
		start--
	}
	var names []string
	for _, n := range p[start:] {
		name, _ := n.FilePathName()
		names = append(names, name)
	}
	return p[:start:start], JoinFilePath(names...)
}

// JoinFilePath joins the names of successive file path nodes, with exactly one
// backslash between them (§10.3.5.4). Empty names are left out.
func JoinFilePath(names ...string) string {
	path := ""
	for _, name := range names {
		switch {
		case path == "":
			path = name
		case name != "":
			path = strings.TrimRight(path, `\`) + `\` + strings.TrimLeft(name, `\`)
		}
	}
	return path
}

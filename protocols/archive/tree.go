// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// node is a file, folder or symbolic link. Its name is its parent's to know:
// hard links are one node with several names.
type node struct {
	mode     fs.FileMode
	modTime  time.Time
	data     extent           // of a regular file
	target   string           // of a symbolic link
	children map[string]*node // of a folder
	names    []string         // of the children, sorted, once sealed
	depth    int              // below the root
}

// extent is where contents lie.
type extent struct {
	r        io.ReaderAt
	at, size int64
}

func newFolder() *node {
	return &node{mode: fs.ModeDir | 0o555, children: map[string]*node{}}
}

// seal sorts the names of all folders below n.
func (n *node) seal() {
	n.names = slices.Sorted(maps.Keys(n.children))
	for _, child := range n.children {
		if child.mode.IsDir() {
			child.seal()
		}
	}
}

// builder makes the tree of an archive.
type builder struct {
	root   *node
	limits limits
	nodes  int
	memory int64
}

// elements splits a name as an archive has it. Skip is that of one that cannot
// be said in io/fs.
func (b *builder) elements(name string) (elements []string, skip bool, err error) {
	if len(name) > b.limits.name {
		return nil, false, fmt.Errorf("a name of %d bytes", len(name))
	}
	if !utf8.ValidString(name) {
		return nil, true, nil
	}
	for e := range strings.SplitSeq(name, "/") {
		switch e {
		case "", ".":
		case "..":
			return nil, false, fmt.Errorf("name %q leads upwards", name)
		default:
			elements = append(elements, e)
		}
	}
	return elements, false, nil
}

// add puts a node at a name, in place of what is there. A folder on a folder
// only changes its times and permissions.
func (b *builder) add(name string, n *node) error {
	elements, skip, err := b.elements(name)
	if skip || err != nil {
		return err
	}
	if n.mode.Type() == fs.ModeSymlink && n.target == "" {
		return nil // Linux has no such link
	}
	if len(elements) == 0 {
		if n.mode.IsDir() {
			b.root.mode, b.root.modTime = n.mode, n.modTime
		}
		return nil
	}
	last := len(elements) - 1
	parent, err := b.folder(elements[:last])
	if err != nil {
		return err
	}
	if old := parent.children[elements[last]]; old != nil && old.mode.IsDir() && n.mode.IsDir() {
		old.mode, old.modTime = n.mode, n.modTime
		return nil
	}
	return b.put(parent, elements[last], n)
}

func (b *builder) put(parent *node, name string, n *node) error {
	if b.nodes++; b.nodes > b.limits.nodes {
		return fmt.Errorf("more than %d files and folders", b.limits.nodes)
	}
	if n.depth = parent.depth + 1; n.depth > b.limits.depth {
		return fmt.Errorf("more than %d folders in each other", b.limits.depth)
	}
	parent.children[name] = n
	return nil
}

// folder finds a folder, through symbolic links where they lead to one, and
// makes what is missing.
func (b *builder) folder(elements []string) (*node, error) {
	at := b.root
	for i, e := range elements {
		next := at.children[e]
		if next != nil && next.mode.Type() == fs.ModeSymlink {
			next, _ = walk(b.root, strings.Join(elements[:i+1], "/"), true)
		}
		if next == nil || !next.mode.IsDir() {
			next = newFolder()
			if err := b.put(at, e, next); err != nil {
				return nil, err
			}
		}
		at = next
	}
	return at, nil
}

// maxLinks is how many symbolic links are followed in one name, as in Linux.
const maxLinks = 40

// walk finds the node with a name, from the root. A symbolic link at the name's
// end is followed if so asked, others always. ".." in links goes up to the root
// and no further.
func walk(root *node, name string, follow bool) (*node, error) {
	path := []*node{root}
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		e := rest[0]
		rest = rest[1:]
		at := path[len(path)-1]
		switch next := at.children[e]; {
		case e == "" || e == ".":
		case e == "..":
			path = path[:max(len(path)-1, 1)]
		case next == nil:
			return nil, fs.ErrNotExist
		case next.mode.Type() == fs.ModeSymlink && (follow || len(rest) > 0):
			if links++; links > maxLinks {
				return nil, fmt.Errorf("more than %d symbolic links: %w", maxLinks, fs.ErrNotExist)
			}
			if strings.HasPrefix(next.target, "/") {
				path = path[:1]
			}
			rest = append(strings.Split(next.target, "/"), rest...)
		case len(rest) > 0 && !next.mode.IsDir():
			return nil, fs.ErrNotExist
		default:
			path = append(path, next)
		}
	}
	return path[len(path)-1], nil
}

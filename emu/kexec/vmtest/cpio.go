// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// entry is a member of an archive; one with neither data nor a file is a
// folder.
type entry struct {
	name string // without a slash at the start
	mode uint32
	data []byte
	file string // on the host, instead of data
}

// writeCpio writes a newc archive of the entries, sorted, with the folders
// above them. The same entries give the same bytes.
func writeCpio(w io.Writer, entries []entry) error {
	byName := map[string]entry{}
	for _, e := range entries {
		if _, twice := byName[e.name]; twice || e.name == "" || path.Clean(e.name) != e.name || strings.HasPrefix(e.name, "..") {
			return fmt.Errorf("%q twice, or not a name", e.name)
		}
		byName[e.name] = e
	}
	for _, e := range entries {
		for dir := path.Dir(e.name); dir != "."; dir = path.Dir(dir) {
			if above, ok := byName[dir]; ok && above.mode&modeType != modeDir {
				return fmt.Errorf("%q is a file and a folder", dir)
			}
			byName[dir] = entry{name: dir, mode: modeDir | 0o755}
		}
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if err := writeEntry(w, i+1, byName[name]); err != nil {
			return err
		}
	}
	return writeEntry(w, 0, entry{name: "TRAILER!!!"})
}

// The file types of an archive, as in stat(2).
const (
	modeType = 0o170000
	modeDir  = 0o040000
	modeFile = 0o100000
)

func writeEntry(w io.Writer, inode int, e entry) error {
	var body io.Reader = strings.NewReader(string(e.data))
	size := int64(len(e.data))
	if e.file != "" {
		f, err := os.Open(e.file)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		body, size = f, info.Size()
	}
	if size > 1<<32-1 {
		return fmt.Errorf("%s: %d bytes are too many for newc", e.name, size)
	}
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		inode, e.mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(e.name)+1, 0, e.name)
	if _, err := io.WriteString(w, head+padding(len(head))); err != nil {
		return err
	}
	if _, err := io.CopyN(w, body, size); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	_, err := io.WriteString(w, padding(int(size%4)))
	return err
}

// padding fills n bytes up to a multiple of four.
func padding(n int) string { return "\x00\x00\x00"[:-n&3] }

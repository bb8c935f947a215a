// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLinks(t *testing.T) {
	link := func(name, target string) entry { return entry{name: name, mode: unixLink | 0o777, body: target} }
	fsys, err := openBytes(newc(
		entry{name: "etc/passwd", body: "root"}, entry{name: "a/b/file", body: "x"},
		link("plain", "a/b/file"), link("absolute", "/a/b/file"), link("a/b/up", "../../etc/passwd"),
		link("over", "../../../../etc/passwd"), link("twice", "plain"), link("dir", "a/b"), link("self", "self"),
		link("ping", "pong"), link("pong", "ping"), link("root", "/"), link("gone", "nothing"), link("through", "a/b/file/x"),
		link("grow", "grow/grow"),
	))
	require.NoError(t, err)
	for name, want := range map[string]string{
		"plain": "x", "absolute": "x", "a/b/up": "root", "over": "root", "twice": "x", "dir/file": "x", "dir/up": "root",
		"root/etc/passwd": "root", "root/root/dir/file": "x", "self": "", "ping": "", "gone": "", "through": "", "plain/x": "",
		"grow": "", "dir/..": "", "/plain": "",
	} {
		raw, err := fs.ReadFile(fsys, name)
		if want == "" {
			require.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, want, string(raw), name)
	}
	_, err = fs.Stat(fsys, "self")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = fs.Stat(fsys, "../etc/passwd")
	require.ErrorIs(t, err, fs.ErrInvalid)
}

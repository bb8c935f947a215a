// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"cmp"
	"strings"
)

// assignments reads lines of KEY=VALUE, as in os-release and .profile: values
// may be quoted as in a shell, the last one of a key holds, and what is none is
// passed over.
func assignments(text string) map[string]string {
	text, _, _ = strings.Cut(text, "\x00")
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			values[strings.TrimSpace(key)] = unquote(strings.TrimSpace(value))
		}
	}
	return values
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] {
		return s
	}
	switch s[0] {
	case '\'':
		return s[1 : len(s)-1]
	case '"':
		return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\$`, `$`, "\\`", "`").Replace(s[1 : len(s)-1])
	}
	return s
}

// release is what an os-release says for a menu.
type release struct{ name, version, sortKey string }

// parseRelease picks the fields as systemd-boot does: what is meant for people
// before what is not, and what names the image before what names the system.
func parseRelease(text string) release {
	v := assignments(text)
	return release{
		name:    cmp.Or(v["PRETTY_NAME"], v["IMAGE_ID"], v["NAME"], v["ID"]),
		version: cmp.Or(v["IMAGE_VERSION"], v["VERSION"], v["VERSION_ID"], v["BUILD_ID"]),
		sortKey: cmp.Or(v["IMAGE_ID"], v["ID"]),
	}
}

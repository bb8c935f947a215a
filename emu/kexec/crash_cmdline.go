// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/pecoff"
)

// LoadOptions returns the load options to boot an image with, so that the kernel
// in it finds what the one before it has left: text, with elfcorehdr=ADDRESS in
// front, and without crashkernel=, which would set memory aside again.
//
// A unified kernel image uses the command line that is embedded in it only if
// it gets no load options. So if text is empty, or only chooses a profile, "@1",
// the embedded one is taken instead of it. Where Secure Boot is on, such an image
// takes no load options, and cannot be told: LoadCrash notices.
//
// Nothing else is added. What crash kernels are usually given beside, nr_cpus=1,
// reset_devices or irqpoll, is the caller's choice.
func (c *Crash) LoadOptions(image io.ReaderAt, size int64, text string) (string, error) {
	profile := ""
	if parsed, err := pecoff.Parse(image, size); err == nil && parsed.Kind() == pecoff.KindUKI {
		var n int
		profile, n, text = cutProfile(text)
		if strings.TrimSpace(text) == "" {
			if text, err = embedded(parsed, n); err != nil {
				return "", fmt.Errorf("kexec: crash kernel: %w", err)
			}
		}
	}
	words := []string{c.elfcorehdr()}
	if profile != "" {
		words = []string{profile, words[0]}
	}
	for _, w := range splitWords(text) {
		if !strings.HasPrefix(w, "crashkernel=") && !strings.HasPrefix(w, "elfcorehdr=") {
			words = append(words, w)
		}
	}
	return strings.Join(words, " "), nil
}

// elfcorehdr is the parameter that names the ELF core header. It goes first:
// behind "--" parameters are not the kernel's, and what is too long is cut off.
func (c *Crash) elfcorehdr() string { return fmt.Sprintf("elfcorehdr=%#x", uint64(c.header.Start)) }

// cutProfile cuts the choice of a profile off, as systemd-stub does.
func cutProfile(text string) (profile string, n int, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	if number, ok := strings.CutPrefix(word, "@"); ok {
		if n, err := strconv.ParseUint(number, 10, 31); err == nil {
			return word, int(n), rest
		}
	}
	return "", 0, text
}

// maxCommandLine bounds an embedded command line, in bytes.
const maxCommandLine = 64 << 10

// embedded is the command line in a unified kernel image, in the profile n.
func embedded(image *pecoff.Image, n int) (string, error) {
	profiles := image.Profiles()
	if n >= len(profiles) {
		return "", fmt.Errorf("the image has no profile %d", n)
	}
	section, ok := profiles[n].Section(".cmdline")
	if !ok {
		return "", nil
	}
	if section.MappedSize() > maxCommandLine {
		return "", fmt.Errorf("the image's command line has %d bytes", section.MappedSize())
	}
	raw, err := io.ReadAll(image.Mapped(section))
	if err != nil {
		return "", err
	}
	raw, _, _ = bytes.Cut(raw, []byte{0})
	return strings.TrimSpace(string(raw)), nil
}

// splitWords splits a kernel's command line at blanks that are not in double
// quotes.
func splitWords(text string) []string {
	var words []string
	start, quoted := 0, false
	for i := range len(text) + 1 {
		switch {
		case i == len(text) || !quoted && strings.IndexByte(" \t\r\n", text[i]) >= 0:
			if start < i {
				words = append(words, text[start:i])
			}
			start = i + 1
		case text[i] == '"':
			quoted = !quoted
		}
	}
	return words
}

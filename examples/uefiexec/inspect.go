// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"crypto"
	_ "crypto/sha1"
	_ "crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/uefiexec/uefiexec/pecoff"
)

// inspect is the command of that name.
func inspect(_ context.Context, args []string, s streams) error {
	flags := newFlags("inspect", "IMAGE", s)
	esp := flags.String("esp", "", "`DIR|ARCHIVE` that the image is looked for in, too")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("inspect takes one IMAGE")
	}
	src, err := openSource(flags.Arg(0), *esp, "", false)
	if err != nil {
		return err
	}
	defer src.close()
	image, err := pecoff.Parse(src.image, src.image.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", src.name, err)
	}
	return describe(s.out, src.name, image)
}

// describe prints what an image is made of.
func describe(w io.Writer, name string, im *pecoff.Image) error {
	fmt.Fprintf(w, "%s: %v, %v, %v, %d bytes\n", name, im.Kind(), im.Machine, im.Subsystem, im.Size())
	if err := im.Check(); err != nil {
		fmt.Fprintf(w, "cannot be loaded: %v\n", err)
	} else {
		fmt.Fprintf(w, "needs %d KiB of memory aligned to %#x, entry at %#x", im.SizeOfImage>>10, im.SectionAlignment, im.EntryPoint)
		if im.Characteristics&pecoff.RelocsStripped != 0 {
			fmt.Fprintf(w, ", at %#x alone", im.ImageBase)
		}
		fmt.Fprintln(w)
	}
	if err := im.Overlap(); err != nil {
		fmt.Fprintf(w, "note: %v\n", err)
	}
	fmt.Fprintf(w, "\n%-10s %10s %10s %10s %10s\n", "section", "address", "mapped", "in file", "bytes")
	for _, s := range im.Sections {
		fmt.Fprintf(w, "%-10s %#10x %#10x %#10x %#10x\n", s.Name, s.VirtualAddress, s.MappedSize(), s.Offset, s.Size)
	}
	fmt.Fprintln(w)
	if err := describeDigests(w, im); err != nil {
		return err
	}
	describeSignatures(w, im)
	if im.Kind() == pecoff.KindUKI || im.Kind() == pecoff.KindAddon {
		return describeProfiles(w, im)
	}
	return nil
}

func describeDigests(w io.Writer, im *pecoff.Image) error {
	for _, kind := range []struct {
		kind pecoff.DigestKind
		name string
	}{{pecoff.AsIs, "as it is"}, {pecoff.AsSigned, "as signed"}} {
		sums, err := im.Authenticode(kind.kind, crypto.SHA256, crypto.SHA1)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "Authenticode %-9s  sha256 %x\n", kind.name, sums[0])
		fmt.Fprintf(w, "%22s  sha1   %x\n", "", sums[1])
	}
	return nil
}

func describeSignatures(w io.Writer, im *pecoff.Image) {
	certs, err := im.Certificates()
	for i, c := range certs {
		fmt.Fprintf(w, "signature %d: type %#06x, %d bytes\n", i, uint16(c.Type), len(c.Data))
	}
	if err != nil {
		fmt.Fprintf(w, "certificate table: %v\n", err)
	} else if len(certs) == 0 {
		fmt.Fprintln(w, "not signed")
	}
}

// textSections are those that people read.
var textSections = []string{".cmdline", ".uname", ".osrel", ".profile", ".sbat"}

// maxText is how much of a section is printed, in bytes.
const maxText = 4096

func describeProfiles(w io.Writer, im *pecoff.Image) error {
	profiles := im.Profiles()
	for i, p := range profiles {
		fmt.Fprintln(w)
		if len(profiles) > 1 {
			fmt.Fprintf(w, "profile %d\n", i)
		}
		for _, name := range textSections {
			s, ok := p.Section(name)
			if !ok {
				continue
			}
			text, err := io.ReadAll(io.LimitReader(im.Mapped(s), maxText))
			if err != nil {
				return err
			}
			lines := strings.Split(strings.TrimRight(string(text), "\x00\n"), "\n")
			for k, line := range lines {
				if k > 0 {
					name = ""
				}
				fmt.Fprintf(w, "%-10s %q\n", name, line)
			}
		}
	}
	return nil
}

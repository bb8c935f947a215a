// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/u-root/u-root/pkg/boot"
)

// Volume is a file system that entries are looked for on: an EFI system
// partition, an extended boot loader partition (XBOOTLDR), a tree like one.
type Volume struct {
	FS  fs.FS  // its root; files must be an io.ReaderAt
	Dir string // where it is mounted, for messages and for loaders that want a path; may be ""
}

// Entry is what is to be run: an EFI program on a volume, and what it is told.
type Entry struct {
	Volume  Volume
	Path    string // of the program, from the volume's root, with slashes, as the file system spells it
	Profile int    // of a unified kernel image with profiles; 0 where there are none

	// CommandLine is given to the program. A unified kernel image with a
	// .cmdline of its own uses this in its place ("" leaves it with its own),
	// and under Secure Boot ignores it.
	CommandLine string
}

// LoadOptions are the program's load options as text: the command line, behind
// a selector "@1" where a profile other than 0 is wanted (UAPI.5, "Multi-Profile
// UKIs"). "" stands for none at all, which is not the same as an empty string:
// systemd-stub takes its embedded command line if there are none.
func (e Entry) LoadOptions() string {
	if e.Profile == 0 {
		return e.CommandLine
	}
	selector := "@" + strconv.Itoa(e.Profile)
	if e.CommandLine == "" {
		return selector
	}
	return selector + " " + e.CommandLine
}

// FilePath is the program's path as UEFI writes it: \EFI\Linux\linux.efi.
func (e Entry) FilePath() string { return `\` + strings.ReplaceAll(e.Path, "/", `\`) }

// Loader loads an entry for the next kexec: runs it to ExitBootServices and
// hands the frozen machine to the kernel. After that, boot.Execute starts it.
// It brings a context of its own, since u-root's Load has none.
type Loader func(Entry) error

// Image is a menu entry of u-root that runs an EFI program. Scan makes them; one
// made by hand needs Volume, Path and Loader. It is not safe for concurrent use.
type Image struct {
	Entry
	Name     string // what the menu shows
	Embedded string // the command line in the image, which holds where CommandLine is ""
	BootRank int
	Loader   Loader

	ID    string // what identifies the entry, as loader.conf's "default" is matched: "linux.efi", "linux.efi@debug", "arch.conf"
	File  string // that makes the entry: the program, or a file of loader/entries
	Tries Tries  // of File's name
}

var _ boot.OSImage = (*Image)(nil)

// Label is the image's name, or else its path.
func (im *Image) Label() string {
	if im.Name != "" {
		return im.Name
	}
	return printable(im.Path)
}

// Rank is the place in the menu; the larger come first.
func (im *Image) Rank() int { return im.BootRank }

// Edit changes the command line. f is given the one that would hold without it:
// CommandLine, or else the one that is embedded. Only a change is passed on to
// the program. An empty command line cannot be given to an image that has one
// embedded: it takes its own then.
func (im *Image) Edit(f func(cmdline string) string) {
	before := im.CommandLine
	if before == "" {
		before = im.Embedded
	}
	if after := f(before); after != before {
		im.CommandLine = after
	}
}

// Load loads the image with its Loader. In a dry run it only looks whether the
// program is there and is an EFI image.
//
// It is ErrLoadOptions, and nothing is loaded, when u-root's options do not show
// whether this is a dry run.
func (im *Image) Load(opts ...boot.LoadOption) error {
	load, err := wantsLoad(boot.WithDryRun, opts...)
	if err != nil {
		return err
	}
	if !load {
		_, err := readProgram(im.Volume, im.Path, 0)
		return err
	}
	if im.Loader == nil {
		return errors.New("the image has no loader")
	}
	return im.Loader(im.Entry)
}

// String describes the image in several lines.
func (im *Image) String() string {
	return fmt.Sprintf("EFIImage(\n  Name: %s\n  Program: %s\n  Profile: %d\n  Load options: %q\n  Embedded command line: %q\n)\n",
		im.Label(), im.Volume.name(im.Path), im.Profile, im.LoadOptions(), im.Embedded)
}

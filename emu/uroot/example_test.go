// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot_test

import (
	"fmt"
	"slices"
	"testing/fstest"

	"github.com/u-root/u-root/pkg/boot"
	"github.com/u-root/u-root/pkg/boot/menu"

	"github.com/uefiexec/uefiexec/emu/uroot"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

func Example() {
	kernel := petest.Image{Sections: []petest.Section{
		{Name: ".linux", Data: []byte("…")},
		{Name: ".osrel", Data: []byte("ID=debian\nPRETTY_NAME=\"Debian 13\"\nVERSION_ID=13\n")},
		{Name: ".profile", Data: []byte("ID=main\n")},
		{Name: ".profile", Data: []byte("ID=debug\nTITLE=\"Debug shell\"\n")},
	}}
	esp := uroot.Volume{Dir: "/mnt/sda1", FS: fstest.MapFS{
		"EFI/Linux/debian.efi":     {Data: kernel.Bytes()},
		"loader/entries/dbg.conf":  {Data: []byte("title Debian, verbose\nsort-key x\nuki /EFI/Linux/debian.efi\noptions debug\n")},
		"loader/entries/gone.conf": {Data: []byte("title Gone\nefi /gone.efi\n")},
	}}
	scanner := uroot.Scanner{
		Machine: pecoff.AMD64,
		Loader: func(e uroot.Entry) error {
			fmt.Printf("run %s %q\n", e.FilePath(), e.LoadOptions())
			return nil
		},
	}
	found, err := scanner.Scan(esp)
	if err != nil {
		fmt.Println("skipped:", err)
	}

	var images []boot.OSImage // beside those of localboot.Localboot
	for _, im := range found {
		images = append(images, im)
	}
	slices.SortStableFunc(images, func(a, b boot.OSImage) int { return b.Rank() - a.Rank() })
	for _, e := range menu.OSImages(false, images...) {
		fmt.Println(e.Label())
		if err := e.Load(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// skipped: /mnt/sda1/loader/entries/gone.conf:2: lstat gone.efi: file does not exist
	// Debian 13
	// run \EFI\Linux\debian.efi ""
	// Debian 13 (Debug shell)
	// run \EFI\Linux\debian.efi "@1"
	// Debian, verbose
	// run \EFI\Linux\debian.efi "debug"
}

// SPDX-License-Identifier: BSD-3-Clause

// Package uroot puts EFI programs into u-root's boot menu: unified kernel images
// in EFI/Linux, each of their profiles, and the programs that files of
// loader/entries name (Boot Loader Specification, UAPI.1). It builds on Linux
// only, as u-root's pkg/boot does.
//
// Scanner finds them and makes an Image of each, a boot.OSImage. It knows how
// to list, label, sort and edit, and not how to load: that is a Loader, which
// the program gives. Kexec has one that runs a program to ExitBootServices and
// hands the frozen machine to the running kernel; examples/bootmenu is a whole
// command with it. A program like u-root's boot command does:
//
//	images, err := localboot.Localboot(l, blockDevs, mountPool)
//	…
//	scanner := uroot.Scanner{Loader: uroot.Kexec{Out: os.Stdout}.Load}
//	for _, m := range mountPool.MountPoints {
//		found, err := scanner.Scan(uroot.Dir(m.Path))
//		if err != nil {
//			l.Printf("skipped: %v", err) // found holds the good ones
//		}
//		for _, im := range found {
//			images = append(images, im)
//		}
//	}
//	slices.SortStableFunc(images, func(a, b boot.OSImage) int { return b.Rank() - a.Rank() })
//	bootcmd.ShowMenuAndBoot(menu.OSImages(*verbose, images...), mountPool, *noLoad, *noExec)
//
// The sort has to be stable: images of one rank are in their order already.
// Entries with a linux key are left to u-root's package bls, so that nothing is
// listed twice. On a root file system whose /boot has the entries, scan that
// folder.
//
// # Dry runs
//
// A boot.LoadOption says nothing outside of u-root's package boot, and the menu
// passes one on dry runs and on others. Load finds out by reflection whether it
// is to load; where u-root is no longer as it was (v0.16.0), it returns
// ErrLoadOptions and loads nothing.
//
// # Hostile files
//
// All that is on a volume is taken to be hostile: folders, files, sections and
// entries are bounded in size and number, symbolic links and other special
// files are not followed, and labels hold nothing that a terminal obeys. Of a
// program, only headers and small sections are read. This package verifies no
// signature, and what has been listed may be another file when it is loaded.
//
// # Not done
//
// Boot counting is read and never written: Image.Counted says what a file would
// be renamed to. Entries with devicetree, extra or initrd keys beside an EFI
// program are refused, since an Entry cannot carry them. The default is that of
// loader.conf; systemd-boot's variables for it are not looked at.
package uroot

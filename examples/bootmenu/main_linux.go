// SPDX-License-Identifier: BSD-3-Clause

// Command bootmenu shows u-root's boot menu of the EFI programs on volumes: unified
// kernel images in EFI/Linux, and what loader/entries names (Boot Loader
// Specification). It runs the choice to the end of its boot services and goes on
// with what it leaves behind, by kexec.
//
//	bootmenu [-v] [-no-load] [-no-exec] [-verify] DIR...
//
// The folders are where an EFI system partition and an XBOOTLDR partition are
// mounted already: together they make one menu. The flags are those of u-root's
// boot command, and -verify. It works as u-root's uinit, and in its busybox.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/u-root/u-root/pkg/boot"
	"github.com/u-root/u-root/pkg/boot/bootcmd"
	"github.com/u-root/u-root/pkg/boot/menu"

	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/emu/uroot"
)

func main() {
	verbose := flag.Bool("v", false, "show what the chosen program prints")
	noLoad := flag.Bool("no-load", false, "print the entries, and do no more")
	noExec := flag.Bool("no-exec", false, "load the choice, but do not start it")
	verify := flag.Bool("verify", false, "compare what was loaded with its SHA-256 before it is started")
	flag.Parse()

	loader := uroot.Kexec{Options: kexec.Options{Verify: *verify}}
	if *verbose {
		loader.Out = os.Stdout
	}
	var volumes []uroot.Volume
	for _, dir := range flag.Args() {
		volumes = append(volumes, uroot.Dir(dir))
	}
	found, err := uroot.Scanner{Loader: loader.Load}.Scan(volumes...)
	if err != nil {
		log.Printf("Skipped: %v", err)
	}
	var images []boot.OSImage
	for _, im := range found {
		images = append(images, im)
	}
	entries := append(menu.OSImages(*verbose, images...), menu.Reboot{}, menu.StartShell{})
	bootcmd.ShowMenuAndBoot(entries, nil, *noLoad, *noExec)
}

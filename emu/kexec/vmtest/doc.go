// SPDX-License-Identifier: BSD-3-Clause

// Package vmtest boots kernels in QEMU for tests that end in one: a first
// kernel, commands run in it, the kexec, and what the next kernel says.
//
// An Initramfs holds files of the host and scripts. Its first process is the
// program in the folder init: it carries out the script that is named by
// vmtest=NAME on the command line of the kernel it runs in ("default" without
// one), line by line:
//
//	run PROGRAM ARG...                 a program; PATH is /bin
//	kill DURATION PROGRAM ARG...       the same, with SIGKILL after DURATION
//	cat FILE...                        contents
//	hex FILE                           contents, in hexadecimal
//	ls DIR                             names, one a line
//	dmesg                              the kernel's log
//	write FILE TEXT                    the text into an existing file
//	mount TYPE DIR                     makes DIR if need be
//	insmod FILE ARG...                 a module, also if it is compressed
//	sleep DURATION
//	kexec-load KERNEL INITRD CMDLINE   by kexec_file_load(2)
//	kexec-exec                         jumps
//	poweroff                           also done at the end
//
// Words are separated by blanks; 'a word with blanks', a quote inside is
// doubled; # starts a comment. A line that fails ends the script, and the test;
// a line after ! must fail, a line after ? may.
//
// Modules of the initramfs are loaded first; proc, sys, dev, securityfs and,
// where there is one, efivarfs are mounted. The program speaks on a serial port
// of its own, so that the kernel's messages do not get into what commands print.
//
// Emulation is slow: on an idle machine a kernel takes 3 to 6 s to its first
// process, on a loaded one 30. So tests share boots, and -short skips them. The package protects against nothing that
// a guest may do to QEMU.
package vmtest

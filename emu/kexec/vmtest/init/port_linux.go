// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// port is the serial line that records and output of commands go to.
type port struct {
	file *os.File
	name string // of the script
}

// openPort takes the first serial port that can be written to, and which is not
// the console's where there is another: COM2 of a PC, the PCI one of a board
// whose console is no 8250.
func openPort(name string) *port {
	for _, file := range []string{"/dev/ttyS1", "/dev/ttyS0", "/dev/console"} {
		f, err := os.OpenFile(file, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			continue
		}
		raw(f)
		// The driver answers EIO for a port without hardware.
		if _, err := f.WriteString("\n"); err == nil {
			return &port{f, name}
		}
		f.Close()
	}
	return &port{os.Stdout, name}
}

// raw lets all bytes through as they are.
func raw(f *os.File) {
	fd := int(f.Fd())
	termios, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	termios.Iflag, termios.Oflag, termios.Lflag = 0, 0, 0
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, termios)
}

// record writes a record. There is nobody to tell if it fails.
func (p *port) record(text string) {
	_, _ = p.file.WriteString("\x1evmtest " + p.name + " " + text + "\n")
}

// drain waits until all is sent.
func (p *port) drain() { _ = unix.IoctlSetInt(int(p.file.Fd()), unix.TCSBRK, 1) }

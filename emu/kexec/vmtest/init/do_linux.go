// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// do carries out one command. The host has checked the number of arguments.
func (p *port) do(name string, args []string) error {
	switch name {
	case "run":
		return p.run(context.Background(), args)
	case "kill":
		return p.kill(args)
	case "cat":
		for _, file := range args {
			if err := p.cat(file); err != nil {
				return err
			}
		}
		return nil
	case "hex":
		data, err := os.ReadFile(args[0])
		p.print(hex.EncodeToString(data) + "\n")
		return err
	case "ls":
		entries, err := os.ReadDir(args[0])
		for _, e := range entries {
			p.print(e.Name() + "\n")
		}
		return err
	case "dmesg":
		return p.dmesg()
	case "write":
		f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		p.drain() // the text may be what ends this kernel
		_, err = f.WriteString(args[1])
		f.Close()
		return err
	case "mount":
		return mount(args[0], args[1])
	case "insmod":
		return insmod(args[0], strings.Join(args[1:], " "))
	case "sleep":
		return p.sleep(args[0])
	case "kexec-load":
		return kexecLoad(args[0], args[1], args[2])
	case "kexec-exec":
		unix.Sync()
		p.drain()
		return os.NewSyscallError("reboot", unix.Reboot(unix.LINUX_REBOOT_CMD_KEXEC))
	case "poweroff":
		p.record("poweroff")
		powerOff(p)
	}
	return fmt.Errorf("no command %q", name)
}

func (p *port) print(text string) { _, _ = p.file.WriteString(text) }

// run gives the port itself to the program, so that what it printed before it
// jumped to another kernel is not lost in a pipe.
func (p *port) run(ctx context.Context, args []string) error {
	if err := os.Setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/", "TMPDIR=/tmp", "TERM=dumb"}
	cmd.Stdout, cmd.Stderr = p.file, p.file
	err := cmd.Run()
	p.drain()
	return err
}

func (p *port) kill(args []string) error {
	after, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	return p.run(ctx, args[1:])
}

func (p *port) cat(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(struct{ io.Writer }{p.file}, f)
	return err
}

func (p *port) sleep(text string) error {
	d, err := time.ParseDuration(text)
	time.Sleep(d)
	return err
}

// dmesg prints all of the kernel's log.
func (p *port) dmesg() error {
	const readAll, sizeBuffer = 3, 10
	size, err := unix.Klogctl(sizeBuffer, nil)
	if err != nil {
		return os.NewSyscallError("syslog", err)
	}
	buf := make([]byte, size)
	n, err := unix.Klogctl(readAll, buf)
	if err != nil {
		return os.NewSyscallError("syslog", err)
	}
	p.print(string(buf[:n]))
	return nil
}

// insmod loads a module; a compressed one is the kernel's to decompress.
func insmod(file, params string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return err
	}
	flags := 0
	if string(magic[:]) != "\x7fELF" {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	return os.NewSyscallError("finit_module", unix.FinitModule(int(f.Fd()), params, flags))
}

func kexecLoad(kernel, initrd, cmdline string) error {
	k, err := os.Open(kernel)
	if err != nil {
		return err
	}
	defer k.Close()
	i, err := os.Open(initrd)
	if err != nil {
		return err
	}
	defer i.Close()
	return os.NewSyscallError("kexec_file_load", unix.KexecFileLoad(int(k.Fd()), int(i.Fd()), cmdline, 0))
}

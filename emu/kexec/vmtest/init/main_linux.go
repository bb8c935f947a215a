// SPDX-License-Identifier: BSD-3-Clause

// Command init is the first process of a guest of package vmtest. It mounts
// what is usual, loads the modules of the initramfs, carries out the script
// that the kernel's command line names, and powers off.
//
// What it says goes to a serial port as records: a line that starts with 0x1e,
// "vmtest", the script's name, and
//
//	start RELEASE          of the kernel
//	step COMMAND           what follows is printed by it
//	end MICROSECONDS TEXT  of the error; empty if there is none
//	abort TEXT             the script ends here
//	poweroff               the last
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	mountUsual()
	name := scriptName()
	p := openPort(name)
	p.record("start " + release())
	if err := script(p, name); err != nil {
		p.record("abort " + oneLine(err))
	}
	p.record("poweroff")
	powerOff(p)
}

// script carries out the modules and lines of a script, to the first error.
func script(p *port, name string) error {
	modules, err := filepath.Glob("/vmtest.modules/*")
	if err != nil {
		return err
	}
	for _, file := range modules {
		p.step([]string{"?", "insmod", file})
	}
	mountVariables()
	text, err := os.ReadFile("/vmtest/" + name)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if err := p.step(strings.Split(strings.TrimSuffix(line, "\n"), "\x1f")); err != nil {
			return err
		}
	}
	return nil
}

// step carries out a command, after what is expected of it. The error is that
// something else came.
func (p *port) step(words []string) error {
	expect, command := words[0], words[1:]
	p.record("step " + strings.Join(command, " "))
	start := time.Now()
	err := p.do(command[0], command[1:])
	text := ""
	if err != nil {
		text = oneLine(err)
	}
	p.record(fmt.Sprintf("end %d %s", time.Since(start).Microseconds(), text))
	switch {
	case expect == "" && err != nil:
		return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	case expect == "!" && err == nil:
		return fmt.Errorf("%s: no error", strings.Join(command, " "))
	}
	return nil
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// scriptName is NAME of vmtest=NAME on the command line, the last one.
func scriptName() string {
	name := "default"
	cmdline, _ := os.ReadFile("/proc/cmdline") // without /proc, the default
	for _, word := range strings.Fields(string(cmdline)) {
		if value, ok := strings.CutPrefix(word, "vmtest="); ok {
			name = value
		}
	}
	return name
}

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Release[:])
}

// powerOff does not return: the kernel would panic.
func powerOff(p *port) {
	unix.Sync()
	p.drain()
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	p.record("abort " + oneLine(err))
	for {
		time.Sleep(time.Hour)
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemFile(t *testing.T) {
	f, err := memFile("name", strings.NewReader("contents"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(io.NewSectionReader(f, 0, 100)); err != nil || string(got) != "contents" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("it can be written to: %v", err)
	}
	if err := f.Truncate(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("it can be cut: %v", err)
	}
	empty, err := memFile("name", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	empty.Close()
}

func TestExplainFile(t *testing.T) {
	for errno, refused := range map[syscall.Errno]bool{
		unix.EPERM: true, unix.EACCES: true, unix.ENOKEY: true, unix.EKEYREJECTED: true, unix.ENODATA: true, unix.ENOSYS: true,
		unix.ENOEXEC: false, unix.EINVAL: false, unix.ENOMEM: false, unix.EIO: false,
	} {
		err := explainFile(errno)
		if !errors.Is(err, errno) || errors.Is(err, ErrRefused) != refused {
			t.Errorf("%v: %v, refused %v", errno, err, errors.Is(err, ErrRefused))
		}
	}
}

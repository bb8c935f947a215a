// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/kexec"
)

func TestBackendFlag(t *testing.T) {
	for _, args := range [][]string{
		{"-backend", "other"},
		{"-backend", "file", "-verify"},
		{"-backend", "file", "-console", "ttyS0"},
	} {
		got := invoked(t, append(append([]string{"load"}, args...), "no.efi")...)
		if got.code != exitUsage || !strings.Contains(got.err, "-backend") {
			t.Errorf("%q: exit code %d: %s", args, got.code, got.err)
		}
	}
}

func TestAdviseFile(t *testing.T) {
	refused := fmt.Errorf("%w: locked down", kexec.ErrRefused)
	for _, test := range []struct {
		host   kexec.Host
		err    error
		advice bool
	}{
		{kexec.Host{Lockdown: "integrity"}, refused, true},
		{kexec.Host{}, refused, true},
		{kexec.Host{Xen: true}, refused, false},
		{kexec.Host{Disabled: true}, refused, false},
		{kexec.Host{}, errors.New("no memory"), false},
	} {
		got := adviseFile(&test.host, test.err)
		if !errors.Is(got, test.err) || strings.Contains(got.Error(), "-backend file") != test.advice {
			t.Errorf("%+v: %v", test.host, got)
		}
	}
}

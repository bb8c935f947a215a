// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/uefiexec/uefiexec/emu"
)

func TestAllowed(t *testing.T) {
	for _, test := range []struct {
		host Host
		want string // "": it is
	}{
		{Host{}, ""},
		{Host{Lockdown: "none"}, ""},
		{Host{Lockdown: "integrity"}, "kexec_file_load"},
		{Host{Lockdown: "confidentiality"}, "confidentiality"},
		{Host{Disabled: true}, "kexec_load_disabled"},
		{Host{Xen: true}, "Xen"},
		{Host{Xen: true, Disabled: true, Lockdown: "integrity"}, "Xen"},
	} {
		err := test.host.allowed()
		if (err == nil) != (test.want == "") || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.host, err, test.want)
		}
		// Load says so before it looks at anything, and tries nothing.
		if err != nil {
			if _, got := Load(&test.host, &emu.Handoff{}, Options{}); got == nil || got.Error() != err.Error() {
				t.Errorf("%+v: Load: %v, want %v", test.host, got, err)
			}
		}
	}
	if _, err := Load(&Host{}, &emu.Handoff{}, Options{}); !errors.Is(err, errNoRoom) {
		t.Errorf("an empty handoff: %v", err)
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err     error
		refused bool
		want    string
	}{
		{syscall.EPERM, true, "CAP_SYS_BOOT"},
		{syscall.EPERM, true, "locked down"},
		{syscall.EPERM, true, "kexec_load_limit_reboot"},
		{syscall.EACCES, true, "IMA"},
		{syscall.EACCES, true, "kexec_file_load"},
		{syscall.ENOSYS, true, "built without"},
		{syscall.ENOMEM, false, "memory free"},
		{syscall.EBUSY, false, "another program"},
		{syscall.EINVAL, false, "layout"},
		{syscall.EADDRNOTAVAIL, false, "layout"},
		{syscall.EFAULT, false, "bad address"},
		{errors.New("anything"), false, "anything"},
	} {
		err := explain(fmt.Errorf("kexec_load: %w", test.err))
		if errors.Is(err, ErrRefused) != test.refused || !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), test.err.Error()) {
			t.Errorf("%v: %v, want %q, refused: %t", test.err, err, test.want, test.refused)
		}
	}
}

func TestPageSize(t *testing.T) {
	if err := pageSize(4096); err != nil {
		t.Error(err)
	}
	if err := pageSize(64 << 10); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "64 KiB") {
		t.Error(err)
	}
}

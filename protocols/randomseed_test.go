// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/archive"
	"github.com/uefiexec/uefiexec/tables"
)

const (
	seedFile  = "loader/random-seed"
	mixinFile = "loader/boot-secret-mixin"
	seedSize  = 512
	seedByte  = 0x5e
)

// seeded is an ESP with a random seed.
func seeded(t *testing.T, suite string) protocols.WritableFS {
	t.Helper()
	volume := protocols.Overlay(os.DirFS(emutest.Corpus(t, suite+"/amd64/esp")))
	f, err := volume.OpenFile(seedFile, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	require.NoError(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{seedByte}, seedSize), 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return volume
}

// stubRun is what a boot of a unified kernel image has left behind.
type stubRun struct {
	h      *emu.Handoff
	volume fs.FS
	initrd []byte
	trace  string
}

// bootStub boots the unified kernel image of a platform's volume, with randomness
// that a number makes.
func bootStub(t *testing.T, random byte, vars *tables.Variables, platform protocols.Platform) stubRun {
	t.Helper()
	run := stubRun{volume: platform.Volume}
	image, err := fs.ReadFile(run.volume, "EFI/Linux/uki.efi")
	require.NoError(t, err)
	var trace bytes.Buffer
	m, err := emu.Open(emu.Config{
		Arch: cpu.AMD64, Engine: emutest.Engine(t, cpu.AMD64), Variables: vars,
		Clock:  emu.VirtualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		Random: rand.NewChaCha8([32]byte{random}),
		Limits: emu.Limits{Time: time.Minute},
		Trace:  emu.TextTrace(&trace),
	})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	device, err := platform.Install(m)
	require.NoError(t, err)
	run.h, err = m.Boot(context.Background(), bytes.NewReader(image), emu.BootOptions{
		Device: device, Path: efi.DevicePath{efi.FilePath(`\EFI\Linux\uki.efi`)},
	})
	run.trace = trace.String()
	require.NoError(t, err, run.trace)
	t.Cleanup(func() { run.h.Close() })
	initrd, err := run.h.Initrd()
	require.NoError(t, err)
	run.initrd = bytes.Clone(initrd)
	return run
}

// secret is the boot secret in the initrd that the kernel was given.
func (r stubRun) secret(t *testing.T) []byte {
	t.Helper()
	files, err := archive.Open(bytes.NewReader(r.initrd), int64(len(r.initrd)))
	require.NoError(t, err)
	secret, err := fs.ReadFile(files, ".extra/boot-secret")
	require.NoError(t, err)
	require.Len(t, secret, 32)
	return secret
}

func (r stubRun) variable(name string) (tables.Variable, bool) {
	i := slices.IndexFunc(r.h.Variables, func(v tables.Variable) bool { return v.GUID == efi.SystemdLoaderGUID && v.Name == name })
	if i < 0 {
		return tables.Variable{}, false
	}
	return r.h.Variables[i], true
}

// wantSeeded checks that the stub has used up the seed on the ESP and handed one
// to the kernel.
func (r stubRun) wantSeeded(t *testing.T) {
	t.Helper()
	require.Contains(t, r.trace, "BootServices.LocateDevicePath(protocol=BlockIOProtocol, devicePath=PciRoot(0x0)/Pci(0x1,0x0), ")
	at, ok := r.h.ConfigurationTable(efi.LinuxRandomSeedTableGUID)
	require.True(t, ok, r.trace)
	head, err := r.h.Read(at, 4)
	require.NoError(t, err)
	n := binary.LittleEndian.Uint32(head)
	require.GreaterOrEqual(t, n, uint32(32))
	seed, err := r.h.Read(at+4, uint64(n))
	require.NoError(t, err)
	require.NotEqual(t, make([]byte, n), seed)
	file, err := fs.ReadFile(r.volume, seedFile)
	require.NoError(t, err)
	require.Len(t, file, seedSize)
	require.NotEqual(t, bytes.Repeat([]byte{seedByte}, 32), file[:32])
	require.NotContains(t, string(file), string(seed[:32]))
}

func TestStubBootSecret(t *testing.T) {
	boot := func(random byte, vars *tables.Variables) stubRun {
		return bootStub(t, random, vars, protocols.Platform{Volume: seeded(t, "sid"), MakeDisk: true})
	}
	first := boot(1, nil)
	first.wantSeeded(t)
	kept, ok := first.variable("LoaderBootSecret")
	require.True(t, ok, first.trace)
	require.Equal(t, efi.VariableNonVolatile|efi.VariableBootServiceAccess, kept.Attributes)
	require.Len(t, kept.Data, 32)
	mixin, err := fs.ReadFile(first.volume, mixinFile)
	require.NoError(t, err)
	require.Len(t, mixin, 32)

	same, other := boot(1, nil), boot(2, nil)
	require.Equal(t, first.initrd, same.initrd)
	require.NotEqual(t, first.initrd, other.initrd)
	require.Len(t, other.initrd, len(first.initrd))
	require.NotEqual(t, first.secret(t), other.secret(t))

	// It is that of the next boot, too, whatever the seed is by then.
	vars := new(tables.Variables)
	require.NoError(t, vars.Define(kept))
	next := bootStub(t, 3, vars, protocols.Platform{Volume: first.volume, MakeDisk: true})
	next.wantSeeded(t)
	require.Equal(t, first.secret(t), next.secret(t))
}

// A volume that can only be read does as well, and stays as it is.
func TestStubOverlay(t *testing.T) {
	lower := seeded(t, "sid")
	readOnly := struct{ fs.FS }{lower}
	covered := bootStub(t, 1, nil, protocols.Platform{Volume: readOnly, Overlay: true, MakeDisk: true})
	plain := bootStub(t, 1, nil, protocols.Platform{Volume: seeded(t, "sid"), MakeDisk: true})
	require.Equal(t, plain.initrd, covered.initrd)
	wantUnused(t, lower)

	// Without, the stub has no boot secret, and starts.
	locked := bootStub(t, 1, nil, protocols.Platform{Volume: readOnly, MakeDisk: true})
	wantUnused(t, lower)
	require.NotEqual(t, len(plain.initrd), len(locked.initrd))
}

// wantUnused checks that a volume's seed is the one that seeded has made.
func wantUnused(t *testing.T, volume fs.FS) {
	t.Helper()
	file, err := fs.ReadFile(volume, seedFile)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{seedByte}, seedSize), file)
	_, err = fs.Stat(volume, mixinFile)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Without a disk the stub leaves all that alone.
func TestStubWithoutDisk(t *testing.T) {
	for _, suite := range []string{"trixie", "sid"} {
		run := bootStub(t, 1, nil, protocols.Platform{Volume: seeded(t, suite)})
		_, ok := run.variable("LoaderBootSecret")
		require.False(t, ok)
		wantUnused(t, run.volume)
	}
}

// Stubs from before the boot secret use the seed all the same. The disk can be
// one that is there.
func TestStubRandomSeed(t *testing.T) {
	disk, err := protocols.GPTDisk(diskGUID, small(2, 100), esp(t))
	require.NoError(t, err)
	run := bootStub(t, 1, nil, protocols.Platform{Volume: seeded(t, "trixie"), WholeDisk: disk})
	run.wantSeeded(t)
	_, ok := run.variable("LoaderBootSecret")
	require.False(t, ok)
}

// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
)

var corpusMachines = map[string]pecoff.Machine{"amd64": pecoff.AMD64, "arm64": pecoff.ARM64}

// corpusVolume has the kernel image with profiles of a suite in EFI/Linux.
func corpusVolume(t *testing.T, suite, arch string) Volume {
	t.Helper()
	data, err := os.ReadFile(emutest.Corpus(t, suite+"/"+arch+"/uki-profiles.efi"))
	require.NoError(t, err)
	return Volume{FS: fstest.MapFS{"EFI/Linux/uki-profiles.efi": {Data: data}}}
}

func TestCorpusProfiles(t *testing.T) {
	for _, suite := range []string{"trixie", "sid"} {
		for arch, machine := range corpusMachines {
			images, err := Scanner{Machine: machine}.Scan(corpusVolume(t, suite, arch))
			require.NoError(t, err)
			require.Len(t, images, 3)
			for i, id := range []string{"main", "debug", "factory-reset"} {
				im := images[i]
				require.Equal(t, "Corpus "+suite+" (Profile "+id+")", im.Label())
				require.Contains(t, im.Embedded, "corpus=uki-"+suite+"-"+id+" console=")
				require.Equal(t, []string{"", "@1", "@2"}[i], im.LoadOptions())
				require.Equal(t, "uki-profiles.efi"+[]string{"", "@debug", "@factory-reset"}[i], im.ID)
			}
		}
	}
}

func TestCorpusVolumes(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		for arch, machine := range corpusMachines {
			for _, esp := range []string{"esp", "esp-grub"} {
				images, err := Scanner{Machine: machine}.Scan(Dir(emutest.Corpus(t, suite+"/"+arch+"/"+esp)))
				require.NoError(t, err)
				if esp == "esp-grub" {
					require.Empty(t, images)
					continue
				}
				require.Equal(t, []string{"uki.efi"}, ids(images))
				require.Equal(t, "Corpus "+suite, images[0].Label())
				require.Equal(t, `\EFI\Linux\uki.efi`, images[0].FilePath())
			}
		}
	}
}

// What an entry says is what systemd-stub understands: the profile is chosen,
// and an edited command line takes the place of the embedded one.
func TestCorpusLoad(t *testing.T) {
	for _, suite := range []string{"trixie", "sid"} {
		v := corpusVolume(t, suite, "amd64")
		var got string
		load := func(e Entry) error {
			data, err := e.Volume.FS.(fstest.MapFS).ReadFile(e.Path)
			require.NoError(t, err)
			r := emutest.Run(t, emutest.Program{Image: data, Path: e.FilePath(), Options: e.LoadOptions(), Volume: e.Volume.FS})
			require.NotNil(t, r.Handoff, "%v\n%s", r.Err, r.Console)
			got = r.Handoff.CommandLine()
			return nil
		}
		images, err := Scanner{Loader: load, Machine: pecoff.AMD64}.Scan(v)
		require.NoError(t, err)
		require.NoError(t, images[1].Load())
		require.Equal(t, images[1].Embedded, strings.TrimSpace(got))
		images[2].Edit(func(s string) string { return s + " edited" })
		require.NoError(t, images[2].Load())
		require.Equal(t, images[2].Embedded+" edited", strings.TrimSpace(got))
	}
}

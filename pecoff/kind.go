// SPDX-License-Identifier: BSD-3-Clause

package pecoff

// Kind is what an image seems to be, for people to read. It goes by marks that anyone can put into a file: never
// base a decision on trust on it.
type Kind int

const (
	KindOther      Kind = iota // no EFI application or driver
	KindEFI                    // an EFI application or driver with none of the marks below
	KindUKI                    // unified kernel image: an EFI application with a section .linux
	KindAddon                  // no .linux, but .cmdline, .dtb, .initrd or .ucode, for a UKI's stub to read
	KindBzImage                // x86 boot protocol header "HdrS" at 0x202: Linux, memtest86+
	KindARM64Image             // "ARM\x64" at 0x38: Linux, Xen, U-Boot
	KindZboot                  // "zimg" at 4: a compressed kernel with the EFI decompressor
)

// String is a short name.
func (k Kind) String() string {
	switch k {
	case KindEFI:
		return "EFI"
	case KindUKI:
		return "UKI"
	case KindAddon:
		return "UKI addon"
	case KindBzImage:
		return "bzImage"
	case KindARM64Image:
		return "arm64 Image"
	case KindZboot:
		return "zboot"
	}
	return "other"
}

// Kind returns what the image seems to be.
func (im *Image) Kind() Kind { return im.kind }

// kindBytes is how far into the file the marks reach.
const kindBytes = 0x206

func kindOf(start []byte, im *Image) Kind {
	mark := func(at int, s string) bool { return len(start) >= at+len(s) && string(start[at:at+len(s)]) == s }
	has := func(names ...string) bool {
		for _, n := range names {
			if _, ok := im.Section(n); ok {
				return true
			}
		}
		return false
	}
	switch {
	case !im.Subsystem.IsEFI():
		return KindOther
	case mark(4, "zimg"):
		return KindZboot
	case mark(0x38, "ARM\x64"):
		return KindARM64Image
	case mark(0x202, "HdrS"):
		return KindBzImage
	case im.Subsystem != Application:
		return KindEFI
	case has(".linux"):
		return KindUKI
	case has(".cmdline", ".dtb", ".initrd", ".ucode"):
		return KindAddon
	}
	return KindEFI
}

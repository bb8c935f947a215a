// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"fmt"
	"strings"
)

// add adds a difference. at is its place in the real log where that has no event.
func (c *comparison) add(kind DifferenceKind, p, r *item, at int) {
	d := Difference{Kind: kind, Predicted: -1, Real: -1}
	if p != nil {
		d.Predicted, d.PCR = p.index, p.PCR
	}
	if r != nil {
		d.Real, d.PCR = r.index, r.PCR
		at = r.index
	}
	var what, why string
	switch kind {
	case Missing:
		what, why = "was not measured in the real boot: "+p.line, cause(kind, p)
	case Unexpected:
		what, why = "the real boot measured in addition: "+r.line, cause(kind, r)
	case Reordered:
		what = "was measured in another order: " + r.line
		why = "the same events in another order make another PCR; another version of what measures them, or another order of files"
	default:
		what, why = changedText(p, r)
	}
	d.Text = fmt.Sprintf("PCR %d: %s: %s", d.PCR, what, why)
	c.found = append(c.found, placed{d, at})
}

// uncompared tells from which events on a PCR was not compared.
func (c *comparison) uncompared(pcr uint32, p, r []item) {
	d := Difference{Kind: Uncompared, Predicted: -1, Real: -1, PCR: pcr}
	at := len(c.real)
	if len(p) > 0 {
		d.Predicted = p[0].index
	}
	if len(r) > 0 {
		d.Real, at = r[0].index, r[0].index
	}
	d.Text = fmt.Sprintf("PCR %d: too much differs to compare: %s predicted and %s measured are left: see whether both logs are of the same machine",
		pcr, count(len(p), "event"), count(len(r), "event"))
	c.found = append(c.found, placed{d, at})
}

// noun is how to call in a sentence what the event measures.
func (it *item) noun() string {
	switch it.kind {
	case kindImage:
		if it.name == innerKernel {
			return it.name
		}
		return strings.TrimSpace("image " + it.name)
	case kindVariable, kindAuthority:
		what := "variable "
		if it.PCR == 7 {
			what = "Secure Boot variable "
		}
		return strings.TrimSpace(what + it.name)
	case kindGPT:
		return "the partition table"
	case kindSection:
		return "contents of section " + it.name
	case kindSectionName:
		return "name of section " + it.name
	case kindCommandLine:
		return "the command line"
	case kindLoadOptions:
		return "the kernel's command line"
	case kindGRUBCommand:
		return "the GRUB command"
	case kindGRUBCommandLine:
		return "GRUB's command line for the kernel"
	case kindInitrd:
		return "the kernel's initrd"
	case kindProfile:
		return "the profile"
	case kindLoaderConf:
		return "loader.conf"
	case kindSMBIOS:
		return "SMBIOS table " + it.name
	case kindFile:
		return "file " + it.name
	case kindSeparator:
		return "the separator"
	case kindFirmware, kindTables, kindStubInitrd, kindNote:
		return it.name
	case kindTag:
		return "event with tag " + it.name
	}
	return it.line
}

// changedText tells of two events that measure the same thing, or one in place
// of the other.
func changedText(p, r *item) (what, why string) {
	why = cause(Changed, r)
	if _, shared := p.equal(r); !shared {
		return r.noun() + " cannot be compared", "the digests are of different banks; predict for those of the machine"
	}
	switch {
	case r.kind == kindImage && p.name != r.name:
		return fmt.Sprintf("another image was loaded: %s in place of %s", imageName(r), imageName(p)), why
	case r.kind == kindImage && p.value != r.value:
		return fmt.Sprintf("%s differs: %s were loaded, %s predicted", r.noun(), r.value, p.value), why
	case r.kind == kindGPT && p.line != r.line:
		return fmt.Sprintf("the partition table differs: that of disk %s (%s) in place of that of disk %s (%s)", r.name, r.value, p.name, p.value), why
	case r.kind != kindOther && p.noun() != r.noun():
		return fmt.Sprintf("%s was measured in place of %s", r.noun(), p.noun()), why
	case p.value != r.value:
		noun := r.noun()
		if r.kind == kindOther {
			noun = r.Type.String()
		}
		return fmt.Sprintf("%s measured was %s, predicted %s", noun, r.value, p.value), why
	case r.kind == kindSection || r.kind == kindTables:
		return r.noun() + " differ", why
	}
	return r.noun() + " differs", why
}

// imageName is an image by name and size.
func imageName(it *item) string {
	switch {
	case it.value == "":
		return "one that is not described"
	case it.name == "":
		return "one without a path (" + it.value + ")"
	}
	return it.name + " (" + it.value + ")"
}

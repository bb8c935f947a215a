// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import "strings"

// cause is what most often is the reason that an event differs, and what to do.
func cause(d DifferenceKind, it *item) string {
	switch it.kind {
	case kindImage:
		return imageCause(d, it)
	case kindVariable:
		return variableCause(it)
	case kindAction:
		return actionCause(d, it)
	case kindAuthority:
		return "another certificate, or another list of revoked versions (SBAT), was used to verify the images"
	case kindGPT:
		return "the disk was partitioned anew, or another disk was started from; predict again with its partition table"
	case kindSeparator:
		return "the firmware's own set-up failed or did not end as usual; see what the firmware reports"
	case kindSection, kindSectionName:
		return "the unified kernel image is not the one that was predicted from, or has another stub; predict again with the one that is installed"
	case kindCommandLine:
		return "it was edited in the boot menu or an addon differs"
	case kindLoadOptions:
		return "it was edited in the boot menu, or an addon or the boot loader's entry differs"
	case kindStubInitrd:
		return stubInitrdCause(it)
	case kindInitrd:
		return "the initrd was built anew, or credentials, extensions or the boot secret, which the stub appends to it, differ"
	case kindGRUBCommand, kindGRUBCommandLine:
		return "grub.cfg was changed, or the entry was edited in the boot menu"
	case kindFile:
		return "the file was changed, e.g. by an update; predict again with the ones that are installed"
	case kindMOK:
		return "shim's machine owner keys were changed (mokutil), or shim is another version"
	case kindPhase:
		return "the system is in another phase of its boot than was predicted for"
	case kindProfile:
		return "another profile was chosen in the boot menu"
	case kindLoaderConf:
		return `\loader\loader.conf on the ESP was changed`
	case kindSMBIOS:
		return "it is another machine, or its firmware was updated or set differently"
	case kindKexec:
		return "the one boot went through kexec and the other did not; predict for the way that is used"
	case kindFirmware:
		return "the firmware was updated or is another; predict again from the log of a boot with it"
	}
	if it.PCR <= 7 {
		return "the firmware, its settings or the hardware differ; predict again from the log of a boot with them"
	}
	return "what started the kernel, or its configuration, differs"
}

func imageCause(d DifferenceKind, it *item) string {
	switch {
	case it.Type != EFIBootServicesApplication || it.PCR == 2:
		return "a card with a driver, its firmware, or a driver that the firmware loads was added, removed or changed"
	case it.name == innerKernel && d != Changed:
		return "stubs differ in whether they load it by the firmware, which measures it: new ones do not, old ones do not with Secure Boot on"
	case it.name == innerKernel:
		return "the unified kernel image is not the one that was predicted from; predict again with the one that is installed"
	case d == Missing:
		return "it is not there, was not chosen, or was refused by Secure Boot"
	case d == Unexpected:
		return "an addon, a boot loader or a tool was started that was not predicted"
	}
	return "the file on the ESP is not the one that was predicted from, or another one was chosen; predict again with the one that is installed"
}

func variableCause(it *item) string {
	name, _, _ := strings.Cut(it.name, " ")
	switch {
	case name == "SecureBoot":
		return "Secure Boot was switched on or off in the firmware's settings"
	case name == "dbx":
		return "the list of revoked images was updated; predict again with the new one"
	case it.PCR == 7:
		return "keys were enrolled or removed, or the firmware was reset or updated; predict again with the new ones"
	case isLoadOption(name), name == "BootOrder":
		return "boot entries or their order were changed, by the firmware, an installer or efibootmgr"
	}
	return "the firmware's settings were changed"
}

func actionCause(d DifferenceKind, it *item) string {
	const exit = "Exit Boot Services "
	what, ok := strings.CutPrefix(it.name, exit)
	switch {
	case !ok:
		return "the firmware came to the boot loader on another way, e.g. over its menu, or after another entry had failed"
	case d == Unexpected && (what == "Invocation" || strings.Contains(what, "Fail")):
		return "to leave the boot services may fail once and is then tried again, which is normal; a policy on this PCR does not hold over such boots"
	case d == Missing:
		return "the log ends before it, or lacks the final events, or the kernel was started in another way"
	}
	return "the end of the boot services came about in another way than was predicted"
}

func stubInitrdCause(it *item) string {
	switch {
	case strings.Contains(it.name, "redentials"):
		return `files *.cred beside the image or in \loader\credentials on the ESP were added, removed or changed`
	case strings.Contains(it.name, "xtension"):
		return "system or configuration extensions (*.raw) on the ESP were added, removed or changed"
	}
	return "files beside the image on the ESP were added, removed or changed"
}

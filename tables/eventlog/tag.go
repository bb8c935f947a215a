// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import "fmt"

// TagKexec is the tag of the event that says that a kernel was started by kexec
// in place of firmware's ExitBootServices. It is this project's own: "uefx".
const TagKexec uint32 = 0x75656678

// The tags of others that Describe knows.
const (
	tagLoadOptions uint32 = 0x8f3b22ed // Linux: the load options
	tagInitrd      uint32 = 0x8f3b22ec // Linux: the initrd
	tagProfile     uint32 = 0x13aed6db // systemd: the profile of a unified kernel image
	tagLoaderConf  uint32 = 0xf5bc582a // systemd-boot: its configuration
	tagSMBIOS      uint32 = 0xd5cb7cbc // systemd: a table of SMBIOS
)

// taggedData is what EV_EVENT_TAG holds (TCG_PCClientTaggedEvent): a
// tag, the number of bytes that follow, and these.
func taggedData(tag uint32, b []byte) []byte {
	data := le.AppendUint32(nil, tag)
	data = le.AppendUint32(data, uint32(len(b)))
	return append(data, b...)
}

// KexecEvent is the EV_EVENT_TAG event with TagKexec: text, which is ASCII such
// as "uefiexec: kexec", is its data and is what is measured. Banks that cannot be
// computed are left out.
func KexecEvent(banks []Algorithm, pcr uint32, text string) Event {
	return New(banks, pcr, EventTag, []byte(text), taggedData(TagKexec, []byte(text)))
}

// tag is EV_EVENT_TAG.
func (e *Event) tag() meaning {
	const header = 8
	if len(e.Data) < header {
		return e.other()
	}
	tag, size := le.Uint32(e.Data), uint64(le.Uint32(e.Data[4:]))
	data := e.Data[header:]
	if size < uint64(len(data)) {
		data = data[:size]
	}
	value := textOrHex(data)
	switch tag {
	case tagLoadOptions:
		return meaning{kindLoadOptions, "", "", line("command line of the kernel (load options)")}
	case tagInitrd:
		return meaning{kindInitrd, "", "", line("initrd of the kernel")}
	case tagProfile:
		return meaning{kindProfile, "", value, line("profile %s of the unified kernel image", value)}
	case tagLoaderConf:
		return meaning{kindLoaderConf, "", "", line("configuration of systemd-boot, %s", value)}
	case tagSMBIOS:
		return meaning{kindSMBIOS, value, "", line("SMBIOS table, %s", value)}
	case TagKexec:
		return meaning{kindKexec, "", value, line("start of the kernel by kexec, %s", value)}
	}
	return meaning{kindTag, fmt.Sprintf("%#x", tag), value, line("event with tag %#x: %s", tag, value)}
}

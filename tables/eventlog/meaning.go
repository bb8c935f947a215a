// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"fmt"
	"strings"
)

// kind is what sort of thing an event measures.
type kind uint8

const (
	kindOther kind = iota
	kindImage
	kindVariable
	kindAuthority
	kindGPT
	kindAction
	kindSeparator
	kindSectionName
	kindSection
	kindCommandLine
	kindStubInitrd
	kindGRUBCommand
	kindGRUBCommandLine
	kindFile
	kindMOK
	kindPhase
	kindLoadOptions
	kindInitrd
	kindProfile
	kindLoaderConf
	kindSMBIOS
	kindKexec
	kindTag
	kindFirmware
	kindTables
	kindNote
)

// meaning is what the data of an event says. All of it is printable.
type meaning struct {
	kind  kind
	name  string // of the thing, where there are several of its kind
	value string // what the data tells of it
	line  string // all of it in words
}

// meaning reads the data of the event, of which no more than a bounded part is
// looked at.
func (e *Event) meaning() meaning {
	switch e.Type {
	case EFIBootServicesApplication, EFIBootServicesDriver, EFIRuntimeServicesDriver:
		return e.image()
	case EFIVariableDriverConfig, EFIVariableBoot, EFIVariableBoot2, EFIVariableAuthority, EFISPDMDevicePolicy, EFISPDMDeviceAuthority:
		return e.variable()
	case EFIGPTEvent, EFIGPTEvent2:
		return e.partitionTable()
	case EFIAction, Action:
		s, _, _ := text(e.Data)
		return meaning{kindAction, clean(s, maxName), "", line("action %s", quote(s, maxValue))}
	case Separator:
		return e.separator()
	case IPL:
		return e.ipl()
	case EventTag:
		return e.tag()
	case EFIPlatformFirmwareBlob, EFIPlatformFirmwareBlob2, PostCode, PostCode2:
		return e.firmwareBlob()
	case SCRTMVersion, SCRTMContents, EFIHCRTMEvent:
		name := map[EventType]string{SCRTMVersion: "version of the firmware", SCRTMContents: "start of the firmware"}[e.Type]
		if name == "" {
			name = "start of the machine"
		}
		value := textOrHex(e.Data)
		return meaning{kindFirmware, name, value, line("%s: %s", name, value)}
	case EFIHandoffTables, EFIHandoffTables2:
		return e.handoffTables()
	case NoAction:
		return e.note()
	}
	return e.other()
}

// other is an event of which only the type is known, or not even that.
func (e *Event) other() meaning {
	value := textOrHex(e.Data)
	return meaning{kindOther, e.Type.String(), value, line("%v: %s", e.Type, value)}
}

// separator is EV_SEPARATOR (§10.4.1): 0, or all ones, ends
// the firmware's own set-up. Anything else says that it failed.
func (e *Event) separator() meaning {
	m := meaning{kind: kindSeparator}
	switch {
	case len(e.Data) == 4 && le.Uint32(e.Data) == 0:
		m.value, m.line = "0x0", "separator"
	case len(e.Data) == 4 && le.Uint32(e.Data) == 0xffffffff:
		m.value, m.line = "0xffffffff", "separator, with 0xffffffff"
	default:
		m.value = hexText(e.Data)
		m.line = line("separator that tells of an error: %s", m.value)
	}
	return m
}

// note is an EV_NO_ACTION event (§10.4.5): a signature of 16 bytes, and data.
func (e *Event) note() meaning {
	m := meaning{kind: kindNote}
	signature, _, _ := bytes.Cut(e.Data[:min(len(e.Data), 16)], []byte{0})
	switch {
	case e.startupLocality():
		m.name, m.value = "startup locality", fmt.Sprint(e.Data[len(startupLocality)])
		m.line = line("startup locality %s", m.value)
	case bytes.HasPrefix(e.Data, specSignature), bytes.HasPrefix(e.Data, legacySignature):
		m.name, m.line = string(signature), line("header of the log, %s", quote(string(signature), maxName))
	case len(signature) > 0 && isASCII(signature):
		m.name = string(signature)
		m.line = line("note, not measured: %s, %s", quote(m.name, maxName), count(len(e.Data), "byte"))
	default:
		m.value = hexText(e.Data)
		m.line = line("note, not measured: %s", m.value)
	}
	m.name = clean(m.name, maxName)
	return m
}

// startupLocality reports whether the event is that of §10.4.5.3.
func (e *Event) startupLocality() bool {
	return e.Type == NoAction && e.PCR == 0 && bytes.HasPrefix(e.Data, startupLocality) && len(e.Data) > len(startupLocality)
}

// ipl is EV_IPL, the event of boot loaders. Which of them wrote it shows in the
// PCR and in the text.
func (e *Event) ipl() meaning {
	s, wide, ok := text(e.Data)
	if !ok {
		return e.other()
	}
	value := quote(s, maxValue)
	if word, rest, found := strings.Cut(s, ": "); found && e.PCR == 8 && !wide {
		switch word {
		case "grub_cmd":
			command, _, _ := strings.Cut(rest, " ")
			value = quote(rest, maxValue)
			return meaning{kindGRUBCommand, clean(command, maxName), value, line("GRUB command %s", value)}
		case "kernel_cmdline", "module_cmdline":
			value = quote(rest, maxValue)
			return meaning{kindGRUBCommandLine, clean(word, maxName), value, line("GRUB's command line for the kernel %s", value)}
		}
	}
	name := clean(s, maxName)
	switch {
	case e.PCR == 11 && strings.HasPrefix(s, ".") && e.measures(append([]byte(s), 0)):
		return meaning{kindSectionName, name, "", line("name of section %s", name)}
	case e.PCR == 11 && strings.HasPrefix(s, "."):
		return meaning{kindSection, name, "", line("contents of section %s", name)}
	case e.PCR == 11:
		return meaning{kindPhase, name, "", line("boot phase %s", value)}
	case e.PCR >= 8 && e.PCR <= 13 && wide && strings.HasSuffix(s, " initrd"):
		return meaning{kindStubInitrd, name, "", line("%s, made by the stub", name)}
	case e.PCR == 12, e.PCR == 8 && wide:
		return meaning{kindCommandLine, "", value, line("command line %s", value)}
	case e.PCR == 9 && !wide:
		return meaning{kindFile, name, "", line("file %s, read by GRUB", value)}
	case e.PCR == 14 || strings.HasPrefix(s, "MokList"):
		return meaning{kindMOK, name, "", line("%s of shim", name)}
	}
	return meaning{kindOther, e.Type.String(), value, line("boot loader: %s", value)}
}

// measures reports whether the event is extended with the hash of b, in the
// first of its banks that can be computed.
func (e *Event) measures(b []byte) bool {
	for _, d := range e.Digests {
		if sum := d.Algorithm.Sum(b); sum != nil {
			return bytes.Equal(sum, d.Sum)
		}
	}
	return false
}

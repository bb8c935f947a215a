// SPDX-License-Identifier: BSD-3-Clause

package efi

import "strings"

var nodePrinters = printerTable(hardwareNodes, acpiNodes, storageNodes, usbNodes, networkNodes, mediaNodes)

// genericNames are the names of nodes whose subtype is not known (§10.6.1.6).
var genericNames = map[uint8]string{
	NodeHardware:  "HardwarePath",
	NodeACPI:      "AcpiPath",
	NodeMessaging: "Msg",
	NodeMedia:     "MediaPath",
	NodeBBS:       "BbsPath",
}

// String is Text(false, false).
func (n Node) String() string { return n.Text(false, false) }

// Text is what EFI_DEVICE_PATH_TO_TEXT_PROTOCOL makes of the node (§10.6.3),
// letter for letter as EDK2 writes it. displayOnly asks for a shorter form,
// allowShortcuts for names of well-known vendor nodes. A node of a known kind
// that is too short is written as one of an unknown subtype, where EDK2 reads
// beyond it.
func (n Node) Text(displayOnly, allowShortcuts bool) string {
	if n.IsEndInstance() {
		return ","
	}
	w := &nodePrinter{displayOnly: displayOnly, allowShortcuts: allowShortcuts}
	print, ok := nodePrinters[nodeKind{n.Type, n.SubType}]
	if !ok || !print(w, n) {
		w.Reset()
		printGeneric(w, n)
	}
	return w.Builder.String()
}

func printGeneric(w *nodePrinter, n Node) {
	if name, ok := genericNames[n.Type]; ok {
		w.printf("%s(%d", name, n.SubType)
	} else {
		w.printf("Path(%d,%d", n.Type, n.SubType)
	}
	if len(n.Data) > 0 {
		w.printf(",%X", n.Data)
	}
	w.printf(")")
}

// String is Text(false, false).
func (p DevicePath) String() string { return p.Text(false, false) }

// Text joins the nodes' texts by slashes (§10.6.4). As in EDK2, the comma that
// ends an instance has a slash behind it, too.
func (p DevicePath) Text(displayOnly, allowShortcuts bool) string {
	var text strings.Builder
	for _, n := range p {
		if text.Len() > 0 && !n.IsEndInstance() {
			text.WriteByte('/')
		}
		text.WriteString(n.Text(displayOnly, allowShortcuts))
	}
	return text.String()
}

// SPDX-License-Identifier: BSD-3-Clause

package efi

// USBNode is a USB port (§10.3.4.5).
type USBNode struct {
	ParentPort uint8
	Interface  uint8
}

// USBClassNode is any USB device of a class (§10.3.4.5).
type USBClassNode struct {
	VendorID       uint16
	ProductID      uint16
	DeviceClass    uint8
	DeviceSubClass uint8
	DeviceProtocol uint8
}

// USBWWIDNode is a USB device by its serial number (§10.3.4.7), which follows
// in UTF-16.
type USBWWIDNode struct {
	Interface uint16
	VendorID  uint16
	ProductID uint16
}

// The kinds of §10.3.4 that are USB.
func (USBNode) Kind() (typ, subType uint8)      { return NodeMessaging, 5 }
func (USBClassNode) Kind() (typ, subType uint8) { return NodeMessaging, 15 }
func (USBWWIDNode) Kind() (typ, subType uint8)  { return NodeMessaging, 16 }

const usbClassReserve = 254

var usbClassNames = map[uint8]string{
	1:   "UsbAudio",
	2:   "UsbCDCControl",
	3:   "UsbHID",
	6:   "UsbImage",
	7:   "UsbPrinter",
	8:   "UsbMassStorage",
	9:   "UsbHub",
	10:  "UsbCDCData",
	11:  "UsbSmartCard",
	14:  "UsbVideo",
	220: "UsbDiagnostic",
	224: "UsbWireless",
}

// usbReserveNames are the subclasses of usbClassReserve.
var usbReserveNames = map[uint8]string{
	1: "UsbDeviceFirmwareUpdate",
	2: "UsbIrdaBridge",
	3: "UsbTestAndMeasurement",
}

var usbNodes = []nodeEntry{
	on(func(w *nodePrinter, b USBNode, _ []byte) {
		w.printf("USB(0x%X,0x%X)", b.ParentPort, b.Interface)
	}),
	on(func(w *nodePrinter, b USBClassNode, _ []byte) {
		if name, ok := usbClassNames[b.DeviceClass]; ok {
			w.printf("%s(0x%X,0x%X,0x%X,0x%X)", name, b.VendorID, b.ProductID, b.DeviceSubClass, b.DeviceProtocol)
			return
		}
		if name, ok := usbReserveNames[b.DeviceSubClass]; ok && b.DeviceClass == usbClassReserve {
			w.printf("%s(0x%X,0x%X,0x%X)", name, b.VendorID, b.ProductID, b.DeviceProtocol)
			return
		}
		w.printf("UsbClass(0x%X,0x%X,0x%X,0x%X,0x%X)", b.VendorID, b.ProductID,
			b.DeviceClass, b.DeviceSubClass, b.DeviceProtocol)
	}),
	on(func(w *nodePrinter, b USBWWIDNode, tail []byte) {
		w.printf("UsbWwid(0x%X,0x%X,0x%X,\"%s\")", b.VendorID, b.ProductID, b.Interface, DecodeString(tail))
	}),
}

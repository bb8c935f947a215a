// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Internet protocol numbers that have a name in a node's text.
const (
	protocolTCP = 6
	protocolUDP = 17
)

func protocolText(protocol uint16) string {
	switch protocol {
	case protocolTCP:
		return "TCP"
	case protocolUDP:
		return "UDP"
	}
	return hexText(protocol)
}

func ipv4Text(a [4]byte) string { return fmt.Sprintf("%d.%d.%d.%d", a[0], a[1], a[2], a[3]) }

// ipv6Text has all eight groups of four digits.
func ipv6Text(a [16]byte) string {
	var groups []string
	for i := 0; i < len(a); i += 2 {
		groups = append(groups, fmt.Sprintf("%02X%02X", a[i], a[i+1]))
	}
	return strings.Join(groups, ":")
}

// decodeOld takes n apart where older firmware leaves the last missing bytes
// away; they are zero then. whole is false unless the size is that of T.
func decodeOld[T NodeBody](n Node, missing int) (body T, whole, ok bool) {
	size := binary.Size(body)
	if len(n.Data) < size-missing {
		return body, false, false
	}
	data := make([]byte, max(size, len(n.Data)))
	copy(data, n.Data)
	if len(n.Data) < size {
		clear(data[size-missing:])
	}
	body, _, ok = DecodeNode[T](Node{n.Type, n.SubType, data})
	return body, len(n.Data) == size, ok
}

// printIPv4 leaves the gateway and the mask out when the node has none.
func printIPv4(w *nodePrinter, n Node) bool {
	const gatewayAndMask = 8
	b, whole, ok := decodeOld[IPv4Node](n, gatewayAndMask)
	if !ok {
		return false
	}
	w.printf("IPv4(%s", ipv4Text(b.RemoteAddress))
	if !w.displayOnly {
		w.printf(",%s,%s,%s", protocolText(b.Protocol), pick(b.StaticAddress.Bool(), "Static", "DHCP"), ipv4Text(b.LocalAddress))
		if whole {
			w.printf(",%s,%s", ipv4Text(b.GatewayAddress), ipv4Text(b.SubnetMask))
		}
	}
	w.printf(")")
	return true
}

// printIPv6 leaves the prefix and the gateway out when the node has none.
func printIPv6(w *nodePrinter, n Node) bool {
	const prefixAndGateway = 17
	b, whole, ok := decodeOld[IPv6Node](n, prefixAndGateway)
	if !ok {
		return false
	}
	w.printf("IPv6(%s", ipv6Text(b.RemoteAddress))
	if !w.displayOnly {
		origin := [...]string{"Static", "StatelessAutoConfigure", "StatefulAutoConfigure"}[min(b.AddressOrigin, 2)]
		w.printf(",%s,%s,%s", protocolText(b.Protocol), origin, ipv6Text(b.LocalAddress))
		if whole {
			w.printf(",0x%X,%s", b.PrefixLength, ipv6Text(b.GatewayAddress))
		}
	}
	w.printf(")")
	return true
}

const (
	uartParities = "DNEOMS"

	iscsiHeaderDigest = 1 << 1
	iscsiDataDigest   = 1 << 3
	iscsiNoAuth       = 1 << 11
	iscsiCHAPUni      = 1 << 12
)

var uartStopBits = [...]string{"D", "1", "1.5", "2"}

func printUART(w *nodePrinter, b UARTNode, _ []byte) {
	w.printf("Uart(")
	if b.BaudRate == 0 {
		w.printf("DEFAULT,")
	} else {
		w.printf("%d,", int64(b.BaudRate))
	}
	if b.DataBits == 0 {
		w.printf("DEFAULT,")
	} else {
		w.printf("%d,", b.DataBits)
	}
	parity, stop := byte('x'), "x"
	if int(b.Parity) < len(uartParities) {
		parity = uartParities[b.Parity]
	}
	if int(b.StopBits) < len(uartStopBits) {
		stop = uartStopBits[b.StopBits]
	}
	w.printf("%c,%s)", parity, stop)
}

func printISCSI(w *nodePrinter, b ISCSINode, name []byte) {
	authentication := "CHAP_BI"
	switch {
	case b.LoginOption&iscsiNoAuth != 0:
		authentication = "None"
	case b.LoginOption&iscsiCHAPUni != 0:
		authentication = "CHAP_UNI"
	}
	w.printf("iSCSI(%s,0x%X,0x%X,%s,%s,%s,%s)", latin1(name), b.TargetPortalGroupTag, b.LUN[:],
		pick(b.LoginOption&iscsiHeaderDigest != 0, "CRC32C", "None"),
		pick(b.LoginOption&iscsiDataDigest != 0, "CRC32C", "None"),
		authentication, pick(b.NetworkProtocol == 0, "TCP", "reserved"))
}

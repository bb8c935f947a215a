// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"strconv"

	"github.com/uefiexec/uefiexec/emu/resident"
)

// parseConsole reads the name of a serial console as Linux calls the first four
// of a PC, or the number of an I/O port.
func parseConsole(name string) (resident.Console, error) {
	ports := map[string]uint64{"ttyS0": 0x3f8, "ttyS1": 0x2f8, "ttyS2": 0x3e8, "ttyS3": 0x2e8}
	if name == "" {
		return resident.Console{}, nil
	}
	port, ok := ports[name]
	if !ok {
		var err error
		if port, err = strconv.ParseUint(name, 0, 16); err != nil {
			return resident.Console{}, usagef("-console %s: want ttyS0 to ttyS3 or an I/O port", name)
		}
	}
	return resident.Console{Kind: resident.ConsolePort, Address: port}, nil
}

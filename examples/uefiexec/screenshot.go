// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"errors"
	"image/png"
	"os"
)

// The size of the screen that an image finds, in pixels.
const (
	screenWidth  = 1024
	screenHeight = 768
)

// writeScreenshot writes what is on the screen to a file.
func writeScreenshot(name string, b *booted) error {
	shot, err := b.screen.Screenshot(b.machine.Memory())
	if err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(file, shot), file.Close())
}

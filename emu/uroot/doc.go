// SPDX-License-Identifier: BSD-3-Clause

// Package uroot is being written.
package uroot

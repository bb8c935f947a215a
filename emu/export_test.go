// SPDX-License-Identifier: BSD-3-Clause

package emu

import "flag"

// Update makes tests write the files that they otherwise compare with.
var Update = flag.Bool("update", false, "write golden files and docs/SERVICES.md")

// SPDX-License-Identifier: BSD-3-Clause

package tcg2

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the end of docs/MEASURED_BOOT.md")

// The end of docs/MEASURED_BOOT.md is printed from the rows.
func TestDoc(t *testing.T) {
	const file, mark = "../../docs/MEASURED_BOOT.md", "-run Doc -update`:\n\n"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, table, ok := strings.Cut(string(raw), mark)
	if !ok {
		t.Fatalf("%s has no place for the table", file)
	}
	want := "| service | support | |\n|---|---|---|\n"
	for _, s := range protocol.Services {
		want += fmt.Sprintf("| `%s(%s)` | %v | %s |\n", s.Name, strings.Join(s.Params, ", "), s.Support, s.Note)
	}
	if *update {
		if err := os.WriteFile(file, []byte(head+mark+want), 0o644); err != nil {
			t.Fatal(err)
		}
		table = want
	}
	if table != want {
		t.Errorf("%s is not what the rows say: go test ./protocols/tcg2 -run Doc -update", file)
	}
}

// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// say is a shell's command to print a record of init's.
func say(text string) string { return `printf '\036vmtest first ` + text + `\n' >&3;` }

// TestWatch has a shell play the machine: its output is the console, its
// descriptor 3 the port of init.
func TestWatch(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	const panics = `echo '[ 1.0] Kernel panic - not syncing: why'; exec sleep 60`
	for _, test := range []struct {
		name, script string
		cfg          Config
		fails        string // what the error says; "" for none
		early        bool   // a reason to try again
	}{
		{"to the end", say("start 6.1") + say("poweroff"), Config{}, "", false},
		{"nothing", "true", Config{}, "went off before init's end", false},
		{"reset", say("start 6.1"), Config{}, "went off before init's end", false},
		{"reset of the second kernel", say("start 6.1") + say("poweroff") + say("start 6.1"), Config{}, "went off before init's end", false},
		{"abort", say("start 6.1") + say("abort cat: none") + say("poweroff"), Config{}, "script first: cat: none", false},
		{"early panic", panics, Config{}, "Kernel panic - not syncing: why", true},
		{"late panic", say("start 6.1") + "sleep 0.2;" + panics, Config{}, "Kernel panic", false},
		{"firmware's panic", `echo '!!!! X64 Exception Type - 0D'; exec sleep 60`, Config{}, "X64 Exception", false},
		{"meant panic", "echo Kernel panic - not syncing: meant;" + say("start 6.1") + say("poweroff"), Config{Panic: "meant$"}, "", false},
		{"another panic", panics, Config{Panic: "meant$"}, "not syncing: why", true},
		{"panic that init prints", say("start 6.1") + "echo Kernel panic - not syncing >&3;" + say("poweroff"), Config{}, "", false},
		{"until", "echo one; echo ready.; exec sleep 60", Config{Until: `^ready\.$`}, "", false},
		{"until, in a prompt", "printf 'ready> '; exec sleep 60", Config{Until: `^ready> $`}, "", false},
		{"until, and off", "echo one", Config{Until: `^ready`}, "went off", false},
		{"timeout", "exec sleep 60", Config{Timeout: 100 * time.Millisecond}, "not done after", false},
		{"QEMU's complaint", "echo no such device >&2; exit 1", Config{}, "no such device", false},
		{"answers", `printf 'name? '; read a; echo "so $a"; printf 'again? '; read b; echo "and $b"; exec sleep 60`,
			Config{Answers: []Answer{{`name\? $`, "x\n"}, {`so x\nagain\? `, "y\n"}}, Until: "and y$"}, "", false},
		{"bad expression", "true", Config{Until: "("}, "missing closing )", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.cfg.Timeout == 0 {
				test.cfg.Timeout = 30 * time.Second
			}
			start := time.Now()
			r, err := watch(t.Context(), []string{"sh", "-c", test.script}, test.cfg)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			switch {
			case test.fails == "" && err != nil:
				t.Fatalf("%v\n%v", err, r)
			case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
				t.Fatalf("error %v, want %s", err, test.fails)
			}
			if got := tooEarly(r, err); got != test.early {
				t.Errorf("tried again: %v, want %v", got, test.early)
			}
		})
	}
}

func TestNoSuchCommand(t *testing.T) {
	if _, err := watch(t.Context(), []string{"/nonexistent"}, Config{Timeout: time.Second}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
}

func TestLines(t *testing.T) {
	var whole, partial []string
	lines(strings.NewReader("a\r\n\x1b[2J\x1b[01;01Hb\n\nhalf\x1evmtest x start\nend"), func(text string, p bool) {
		if p {
			partial = append(partial, text)
		} else {
			whole = append(whole, text)
		}
	})
	if got, want := fmt.Sprintf("%q", whole), `["a" "b" "" "half" "\x1evmtest x start" "end"]`; got != want {
		t.Errorf("lines %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%q", partial), `["end"]`; got != want {
		t.Errorf("partial lines %s, want %s", got, want)
	}
}

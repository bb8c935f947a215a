// SPDX-License-Identifier: BSD-3-Clause

package emu

// Missing is something that the guest asked for and that was not there.
type Missing struct {
	Kind  string // "protocol", "service", "variable"
	Name  string
	Count int
}

const (
	missingProtocol = "protocol"
	missingService  = "service"
	missingVariable = "variable"
)

// missingList counts, in the order of the first time each was asked for.
type missingList struct {
	list  []Missing
	index map[Missing]int // by kind and name
}

// maxMissing bounds what a guest can make the list remember.
const maxMissing = 1024

func (l *missingList) note(kind, name string) {
	key := Missing{Kind: kind, Name: name}
	if i, ok := l.index[key]; ok {
		l.list[i].Count++
		return
	}
	if len(l.list) >= maxMissing {
		return
	}
	if l.index == nil {
		l.index = map[Missing]int{}
	}
	l.index[key] = len(l.list)
	l.list = append(l.list, Missing{kind, name, 1})
}

// Missing lists what the guest asked for and was not there, in the order of the
// first time: protocols, services that are not served, variables.
func (m *Machine) Missing() []Missing { return append([]Missing(nil), m.missing.list...) }

// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// handleBase is the first handle. Handles are not addresses: what lies there can
// be no memory of any guest, so that one that is dereferenced faults.
const handleBase = 0x1_0000_0000_0000

// handleDB is the handle database (§7.3): handles in the order in which they
// were made, and on each its protocols in the order in which they came.
type handleDB struct {
	list  []*handle
	byID  map[efi.Handle]*handle
	next  efi.Handle
	limit int
	count uint64 // installations so far
	live  int    // protocols on all handles
}

// perHandle is how many protocols there can be for each handle there can be,
// over all handles.
const perHandle = 4

type handle struct {
	id        efi.Handle
	protocols []*installed
}

// installed is a protocol on a handle and who has opened it.
type installed struct {
	guid  efi.GUID
	at    efi.Addr
	order uint64 // among the installations
	opens []efi.OpenProtocolInformationEntry
}

// get finds a handle; one that is not there is InvalidParameter.
func (db *handleDB) get(id efi.Handle) (*handle, error) {
	if h, ok := db.byID[id]; ok {
		return h, nil
	}
	return nil, fmt.Errorf("%s is no handle: %w", handleText(id), efi.InvalidParameter)
}

// find returns the protocol on h, nil if it is not there.
func (h *handle) find(guid efi.GUID) *installed {
	for _, p := range h.protocols {
		if p.guid == guid {
			return p
		}
	}
	return nil
}

// lookup is get and find in one.
func (db *handleDB) lookup(id efi.Handle, guid efi.GUID) (efi.Addr, bool) {
	if h, ok := db.byID[id]; ok {
		if p := h.find(guid); p != nil {
			return p.at, true
		}
	}
	return 0, false
}

// install puts a protocol on a handle, on a new one if id is 0.
func (db *handleDB) install(id efi.Handle, guid efi.GUID, at efi.Addr) (efi.Handle, error) {
	var h *handle
	if id == 0 {
		if len(db.list) >= db.limit {
			return 0, fmt.Errorf("%d handles: %w", len(db.list), efi.OutOfResources)
		}
		if db.byID == nil {
			db.byID, db.next = map[efi.Handle]*handle{}, handleBase
		}
		h = &handle{id: db.next}
		db.next += 8
	} else {
		var err error
		if h, err = db.get(id); err != nil {
			return id, err
		}
		if h.find(guid) != nil {
			return id, fmt.Errorf("%s is there already: %w", guidName(guid), efi.InvalidParameter)
		}
	}
	if db.live/perHandle >= db.limit {
		return id, fmt.Errorf("%d protocols: %w", db.live, efi.OutOfResources)
	}
	db.live++
	db.count++
	h.protocols = append(h.protocols, &installed{guid: guid, at: at, order: db.count})
	if id == 0 {
		db.list = append(db.list, h)
		db.byID[h.id] = h
	}
	return h.id, nil
}

// uninstall takes a protocol off, and the handle with its last one. NotFound:
// not there, or another interface. AccessDenied: a driver or an exclusive user
// has it open.
func (db *handleDB) uninstall(id efi.Handle, guid efi.GUID, at efi.Addr) error {
	h, err := db.get(id)
	if err != nil {
		return err
	}
	p := h.find(guid)
	if p == nil || p.at != at {
		return fmt.Errorf("no %s there at %v: %w", guidName(guid), at, efi.NotFound)
	}
	if p.heldExclusively() {
		return fmt.Errorf("%s is in use: %w", guidName(guid), efi.AccessDenied)
	}
	h.protocols = slices.DeleteFunc(h.protocols, func(o *installed) bool { return o == p })
	db.live--
	if len(h.protocols) == 0 {
		db.list = slices.DeleteFunc(db.list, func(o *handle) bool { return o == h })
		delete(db.byID, id)
	}
	return nil
}

// with lists the handles that have a protocol, all handles for nil.
func (db *handleDB) with(guid *efi.GUID) []*handle {
	var found []*handle
	for _, h := range db.list {
		if guid == nil || h.find(*guid) != nil {
			found = append(found, h)
		}
	}
	return found
}

// after finds the first installation of a protocol behind the one that is given.
func (db *handleDB) after(guid efi.GUID, order uint64) (id efi.Handle, next uint64) {
	for _, h := range db.list {
		if p := h.find(guid); p != nil && p.order > order && (next == 0 || p.order < next) {
			id, next = h.id, p.order
		}
	}
	return id, next
}

const exclusiveKinds = efi.OpenProtocolByDriver | efi.OpenProtocolExclusive

func (p *installed) heldExclusively() bool {
	return slices.ContainsFunc(p.opens, func(o efi.OpenProtocolInformationEntry) bool {
		return o.Attributes&exclusiveKinds != 0
	})
}

// open does what §7.3.9 says of the attributes: what may be open at once, and
// the list of who has it open. Drivers that could be stopped have been.
func (p *installed) open(agent, controller efi.Handle, how efi.OpenProtocolAttribute, limit int) error {
	for _, o := range p.opens {
		same := o.AgentHandle == agent && o.ControllerHandle == controller
		if how&exclusiveKinds == 0 || o.Attributes&exclusiveKinds == 0 {
			continue
		}
		if how&efi.OpenProtocolByDriver != 0 && same && o.Attributes == how {
			return fmt.Errorf("open by the same driver: %w", efi.AlreadyStarted)
		}
		return fmt.Errorf("open by %s as %v: %w", handleText(o.AgentHandle), o.Attributes, efi.AccessDenied)
	}
	if how == efi.OpenProtocolTestProtocol || agent == 0 {
		return nil
	}
	for i := range p.opens {
		if o := &p.opens[i]; o.AgentHandle == agent && o.ControllerHandle == controller && o.Attributes == how {
			o.OpenCount++
			return nil
		}
	}
	if len(p.opens) >= limit {
		return fmt.Errorf("%d users of a protocol: %w", len(p.opens), efi.OutOfResources)
	}
	p.opens = append(p.opens, efi.OpenProtocolInformationEntry{
		AgentHandle: agent, ControllerHandle: controller, Attributes: how, OpenCount: 1,
	})
	return nil
}

// close forgets what agent has open. NotFound: nothing.
func (p *installed) close(agent, controller efi.Handle) error {
	n := len(p.opens)
	p.opens = slices.DeleteFunc(p.opens, func(o efi.OpenProtocolInformationEntry) bool {
		return o.AgentHandle == agent && o.ControllerHandle == controller
	})
	if len(p.opens) == n {
		return fmt.Errorf("not open by %s: %w", handleText(agent), efi.NotFound)
	}
	return nil
}

// guidName is a GUID's name, or its text.
func guidName(g efi.GUID) string {
	if name, ok := g.Name(); ok && g != (efi.GUID{}) {
		return name
	}
	return g.String()
}

package main

// The verification: what the clients were told against what the database holds.

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
)

// ledger holds what the clients were told of each event, by its ClientID.
type ledger struct {
	mu    sync.Mutex // guards entries
	sent  map[string]entry
	total entry
}

// entry counts the answers for one ClientID. There is more than one event with
// the same ClientID only if a file says so.
type entry struct {
	accepted int // 202 or 201: stored exactly once each
	open     int // no answer, or a 5xx after it was accepted: stored at most once each
}

func newLedger() *ledger { return &ledger{sent: make(map[string]entry)} }

func (l *ledger) accept(id string)    { l.enter(id, entry{accepted: 1}) }
func (l *ledger) leaveOpen(id string) { l.enter(id, entry{open: 1}) }

func (l *ledger) enter(id string, more entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[id] = l.sent[id].plus(more)
	l.total = l.total.plus(more)
}

func (e entry) plus(o entry) entry { return entry{e.accepted + o.accepted, e.open + o.open} }

func (l *ledger) totals() entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// verdict is the outcome of a verification.
type verdict struct {
	accepted   int   // answered 202 or 201
	openStored int   // stored although there was no clear answer
	missing    fault // accepted, not stored
	doubled    fault // stored more often than accepted
	strange    fault // stored, and nobody sent it
}

// fault counts events and remembers some.
type fault struct {
	events   int
	examples []string
}

func (f *fault) add(id string, n int) {
	f.events += n
	if id == "" {
		id = "(no id)"
	}
	f.examples = append(f.examples, id)
}

// verify compares the ledger with the tallies of the database before and after.
func verify(l *ledger, before, after map[string]int) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := verdict{accepted: l.total.accepted}
	for id, told := range l.sent {
		stored := after[id] - before[id]
		switch {
		case stored < told.accepted:
			v.missing.add(id, told.accepted-stored)
		case stored > told.accepted+told.open:
			v.doubled.add(id, stored-told.accepted-told.open)
			v.openStored += told.open
		default:
			v.openStored += stored - told.accepted
		}
	}
	for id, stored := range after {
		if _, sent := l.sent[id]; !sent && stored > before[id] {
			v.strange.add(id, stored-before[id])
		}
	}
	for id, stored := range before {
		if _, sent := l.sent[id]; !sent && stored > after[id] {
			v.missing.add(id, stored-after[id])
		}
	}
	return v
}

// err says what is wrong, nil if nothing is.
func (v *verdict) err() error {
	return errors.Join(
		v.missing.err("accepted, but missing in the database"),
		v.doubled.err("in the database more than once"),
		v.strange.err("in the database, but nobody sent them"),
	)
}

func (f *fault) err(what string) error {
	if f.events == 0 {
		return nil
	}
	sort.Strings(f.examples)
	shown, more := f.examples, ""
	if len(shown) > 5 {
		shown, more = shown[:5], ", ..."
	}
	return fmt.Errorf("%s: %d events (%s%s)", what, f.events, strings.Join(shown, ", "), more)
}

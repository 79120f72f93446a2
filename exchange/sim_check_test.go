package exchange

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// truth is what the log says, by a replay from its beginning that has nothing to
// do with any node.
type truth struct {
	state   *State
	at      log.Position
	tables  *simTables
	entries map[entryKey][][]byte // replies by what was appended
	places  map[entryKey]int      // how many commands came before
	states  map[uint64]Hash       // at sequences that are asked for
	glances []glance              // after each batch
}

// entryKey is what a command is in the log.
type entryKey struct {
	kind uint8
	at   corehour.Instant
	body string
}

func keyOfEntry(e log.Entry) entryKey { return entryKey{e.Kind, e.At, string(e.Body)} }

// checkAll holds everything against the truth, once nothing is under way.
func (s *sim) checkAll() {
	wanted := make(map[uint64]bool)
	for _, n := range s.nodes {
		for _, e := range n.snapshots.entries {
			wanted[e.sequence] = true
		}
	}
	t := s.replay(wanted)
	s.checkNodes(t)
	s.checkJournal(t)
	s.checkReads(t)
	s.checkProjected(t)
	s.checkLedger(t)
	s.checkRestart(t)
}

func (s *sim) replay(wanted map[uint64]bool) *truth {
	t := &truth{state: NewState(), tables: newSimTables(), entries: make(map[entryKey][][]byte), places: make(map[entryKey]int), states: make(map[uint64]Hash)}
	witness := newWitness(simFatal{s, brokenInvariant})
	for i, payload := range s.log.batches {
		batch, after, err := t.at.Follow(uint64(i+1), payload)
		if err != nil {
			s.violate(diverged, "the log does not hold: %v", err)
		}
		var events []corehour.Event
		rows := newRowChanges()
		for j, e := range batch.Entries {
			cmd, err := decodeCommand(Kind(e.Kind), e.Body)
			if err != nil {
				s.violate(diverged, "the log does not decode: %v", err)
			}
			reply := t.state.apply(e.At, cmd, e.Body)
			key := keyOfEntry(e)
			t.places[key] = int(t.at.Commands) + j
			t.entries[key] = append(t.entries[key], marshal(&reply))
			checkInvariants(simFatal{s, brokenInvariant}, t.state)
			witness.see(t.state.events)
			for _, made := range t.state.events {
				event, err := corehour.NewEvent(made.typ, made.at, made.subject, made.data)
				if err != nil {
					s.violate(brokenInvariant, "%v", err)
				}
				events = append(events, event)
				rows.note(made)
			}
		}
		if err := t.tables.write(context.Background(), t.at, after, events, rows); err != nil {
			s.violate(badProjection, "%v", err)
		}
		t.at = after
		t.glances = append(t.glances, glanceAt(t.state))
		if wanted[t.at.Sequence] {
			t.states[t.at.Sequence] = t.state.Hash()
		}
	}
	witness.compare(t.state)
	return t
}

// checkNodes: replay(log) = live state = every other node's, and every snapshot
// that is whole is a state on the way.
func (s *sim) checkNodes(t *truth) {
	want := t.state.Hash()
	for _, n := range s.nodes {
		if got, at := n.x.StateHash(); got != want || at != t.at.Sequence {
			s.violate(diverged, "%s stands at %d with %s, the log says %d and %s", n.name, at, got, t.at.Sequence, want)
		}
		for _, e := range n.snapshots.entries {
			snap, err := readSnapshot(n.snapshots, e.sequence)
			if err != nil {
				continue // torn by a power cut
			}
			state, err := decodeState(snap.State)
			if err != nil || state.Hash() != t.states[e.sequence] {
				s.violate(diverged, "the snapshot of %s at %d is not the log's state (%v)", n.name, e.sequence, err)
			}
		}
	}
}

// checkJournal: what was answered is in the log once, with that answer; what was
// not is there at most once; nothing else is.
func (s *sim) checkJournal(t *truth) {
	sent := make(map[entryKey]int)
	answers := make(map[entryKey][][]byte)
	for _, a := range s.clients.journal {
		key := keyOfEntry(a.pending.entry)
		sent[key]++
		if a.reply != nil {
			answers[key] = append(answers[key], a.reply)
		}
	}
	for _, a := range s.clients.journal {
		key := keyOfEntry(a.pending.entry)
		if len(t.entries[key]) > sent[key] {
			s.violate(twice, "%+v is in the log %d times and was sent %d times", a.pending.cmd, len(t.entries[key]), sent[key])
		}
		if !contains(t.entries[key], answers[key]) {
			s.violate(lostAnswer, "%+v was answered %x, the log has %x", a.pending.cmd, answers[key], t.entries[key])
		}
	}
	entries, known := 0, len(smallMarket())
	for _, replies := range t.entries {
		entries += len(replies)
	}
	for key := range sent {
		known += len(t.entries[key])
	}
	if entries != known {
		s.violate(twice, "the log has %d commands, %d of them were sent", entries, known)
	}
	s.checkOrder(t, sent)
}

// checkOrder: what one node took in one after another stands in the log like that.
func (s *sim) checkOrder(t *truth, sent map[entryKey]int) {
	type life struct {
		node  *simNode
		epoch int
	}
	newest := make(map[life]int)
	for _, a := range s.clients.journal {
		key, of := keyOfEntry(a.pending.entry), life{a.node, a.epoch}
		if len(t.entries[key]) == 0 || sent[key] > 1 {
			continue // not there, or it cannot be told from another one
		}
		if t.places[key] < newest[of] {
			s.violate(reordered, "%+v of %s stands before what was sent before it", a.pending.cmd, a.node.name)
		}
		newest[of] = t.places[key]
	}
}

// checkReads: what readers were shown was true at one point of the log.
func (s *sim) checkReads(t *truth) {
	for _, r := range s.readers.heard {
		if want := t.glances[r.sequence-1]; r.glance != want {
			s.violate(staleRead, "a reader was shown %+v at %d, the log makes %+v", r.glance, r.sequence, want)
		}
	}
}

// contains is whether all of some are among others, each as often.
func contains(others, some [][]byte) bool {
	left := slices.Clone(others)
	for _, one := range some {
		i := slices.IndexFunc(left, func(other []byte) bool { return bytes.Equal(one, other) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// checkProjected: the position is the log's end; outbox and rows are those of a
// replay, each event once and in order.
func (s *sim) checkProjected(t *truth) {
	at, err := s.store.inside.position(context.Background())
	if err != nil || at.Sequence != t.at.Sequence || at.Hash != t.at.Hash {
		s.violate(badProjection, "the projection stands at %+v (%v), the log at %+v", at, err, t.at)
	}
	got := s.store.inside.read(0, int(s.store.events()))
	if len(got) != len(t.tables.outbox) {
		s.violate(badProjection, "the outbox has %d events, the log makes %d", len(got), len(t.tables.outbox))
	}
	for i := range got {
		a, b := &got[i], &t.tables.outbox[i]
		if a.ID() != b.ID() || a.Type != b.Type || a.Time != b.Time || a.Subject != b.Subject || !bytes.Equal(a.Data, b.Data) {
			s.violate(badProjection, "event %d is %s %s %s, the log makes %s %s %s", i+1, a.ID(), a.Type, a.Data, b.ID(), b.Type, b.Data)
		}
	}
	rows, want := s.store.inside.tables(), t.tables.tables()
	for i := range max(len(rows), len(want)) {
		if i >= len(rows) || i >= len(want) || rows[i] != want[i] {
			s.violate(badProjection, "row %d of %d is\n%s, the log makes %d rows and there\n%s", i, len(rows), rowAt(rows, i), len(want), rowAt(want, i))
		}
	}
}

func rowAt(rows []string, i int) string {
	if i < len(rows) {
		return rows[i]
	}
	return "nothing"
}

// checkLedger: the consumer's funds, bids and counts are the state machine's.
func (s *sim) checkLedger(t *truth) {
	counts := make(map[corehour.EventType]int)
	for i := range t.tables.outbox {
		counts[t.tables.outbox[i].Type]++
	}
	if fmt.Sprint(counts) != fmt.Sprint(s.bus.counts) {
		s.violate(badLedger, "the consumer has had %v, the log makes %v", s.bus.counts, counts)
	}
	s.bus.ledger.compare(t.state)
}

// checkRestart: snapshot + tail = live state.
func (s *sim) checkRestart(t *truth) {
	for _, n := range s.nodes {
		x, err := n.open(simLink{n})
		if err != nil {
			s.violate(refusedToRun, "%s: at its last start: %v", n.name, err)
		}
		if x.state.Hash() != t.state.Hash() {
			s.violate(diverged, "%s comes back with %s, the log says %s", n.name, x.state.Hash(), t.state.Hash())
		}
	}
}

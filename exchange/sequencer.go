package exchange

import (
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// sequencer decides what a node appends to the log, and in which order the
// batches that are in the log are applied. It does no I/O and knows no time, so a
// test can drive it step by step.
//
// Each batch names the hash of the one before, so those that are in flight form a
// chain on the end of the log as this node knows it. Where another node's batch
// stands in that place, all of them are refused, and their commands go into new
// batches. What this node does not know to be refused it may only append again as
// the very same bytes: the first attempt may still arrive.
type sequencer struct {
	writer string
	window int // how many batches may be in flight
	chain  chainCheck

	tail   log.Position // the end of the log as this node knows it
	queue  []*Pending   // not in a batch yet
	sent   []*outgoing  // in flight, in the order of their sequences
	latest corehour.Instant
}

// worthAnother is how many commands must wait for another batch to be appended
// while one is in flight. The disk takes one after the other, so fewer larger ones
// are sooner done than more smaller ones.
const worthAnother = 256

// outgoing is a batch in flight.
type outgoing struct {
	after   log.Position // where the log stands after it
	payload []byte
	pending []*Pending
	attempt int
	acked   bool
}

// appended is a batch that is in the log and has not been applied.
type appended struct {
	at      log.Position // where the log stands after it
	pending []*Pending   // nil where another node wrote it
	entries []log.Entry  // of another node
	// size is how much of the log's message it is.
	size int
}

// room reports whether the sequencer takes more commands: another batch's worth
// beyond what is in flight.
func (s *sequencer) room() bool { return len(s.queue) < log.MaxCommands }

func (s *sequencer) add(p *Pending) { s.queue = append(s.queue, p) }

// idle reports whether all that was added is in the log.
func (s *sequencer) idle() bool { return len(s.queue) == 0 && len(s.sent) == 0 }

// next makes the next batch to append, nil where there is nothing to append or
// enough in flight.
func (s *sequencer) next() *outgoing {
	if len(s.queue) == 0 || len(s.sent) >= s.window || len(s.sent) > 0 && len(s.queue) < worthAnother {
		return nil
	}
	n, bytes := 0, 0
	for n < len(s.queue) && n < log.MaxCommands && bytes < log.MaxBytes-log.MaxCommandBytes {
		bytes += len(s.queue[n].entry.Body) + log.EntryOverhead
		n++
	}
	o := &outgoing{pending: s.queue[:n:n]}
	s.queue = s.queue[n:]
	entries := make([]log.Entry, 0, n)
	for _, p := range o.pending {
		if p.cmd == nil {
			continue // a reader that waits for the end of the log
		}
		s.latest = max(s.latest, p.entry.At)
		p.entry.At = s.latest
		entries = append(entries, p.entry)
	}
	from := s.tail
	if len(s.sent) > 0 {
		from = s.sent[len(s.sent)-1].after
	}
	o.payload, o.after = from.Encode(s.writer, entries)
	s.sent = append(s.sent, o)
	return o
}

// inFlight reports whether a batch is still in flight.
func (s *sequencer) inFlight(o *outgoing) bool { return slices.Contains(s.sent, o) }

// acknowledged notes that a batch of this node is in the log, and returns what
// can be applied. The answer may come late, when the batch has been found there.
func (s *sequencer) acknowledged(o *outgoing) []appended {
	if !s.inFlight(o) {
		return nil
	}
	o.acked = true
	return s.settled()
}

// settled takes what is in the log off the front of what is in flight.
func (s *sequencer) settled() []appended {
	var ready []appended
	for len(s.sent) > 0 && s.sent[0].acked {
		o := s.sent[0]
		s.sent = s.sent[1:]
		s.tail = o.after
		ready = append(ready, appended{at: o.after, pending: o.pending, size: len(o.payload)})
	}
	return ready
}

// delivered takes a batch that stands in the log, whoever wrote it, and returns
// what can be applied. Batches that are known already are passed over.
func (s *sequencer) delivered(sequence uint64, payload []byte) ([]appended, error) {
	if sequence <= s.tail.Sequence {
		return nil, nil
	}
	batch, after, err := s.chain(s.tail, sequence, payload)
	if err != nil {
		return nil, err
	}
	if len(s.sent) > 0 && s.sent[0].after.Hash == after.Hash {
		return s.acknowledged(s.sent[0]), nil
	}
	s.tail = after
	s.refuse()
	return []appended{{at: after, entries: batch.Entries, size: len(payload)}}, nil
}

// refuse takes the commands of all batches in flight back into the queue: another
// batch stands where the first of them was to stand.
func (s *sequencer) refuse() {
	if len(s.sent) == 0 {
		return
	}
	var again []*Pending
	for _, o := range s.sent {
		if o.acked {
			panic("exchange: the log acknowledged a batch where another one stands")
		}
		again = append(again, o.pending...)
	}
	s.sent = nil
	s.queue = append(again, s.queue...)
}

// abandon gives up on everything that is not known to be in the log.
func (s *sequencer) abandon() []*Pending {
	var left []*Pending
	for _, o := range s.sent {
		left = append(left, o.pending...)
	}
	left = append(left, s.queue...)
	s.sent, s.queue = nil, nil
	return left
}

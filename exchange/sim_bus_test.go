package exchange

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/corehour/corehour"
)

// simBus carries copies of the outbox to a consumer that writes a ledger of funds
// and orders (the witness). Messages come late, twice, in any order or never; the
// consumer knows by the numbers of events which it has had, and reads those that
// it has missed from the outbox. Position and ledger are one transaction of it.
type simBus struct {
	messages [][]corehour.Event
	taken    int64
	ledger   *witness
	counts   map[corehour.EventType]int
}

// publish sends committed events in messages of some events each.
func (b *simBus) publish(s *sim, events []corehour.Event) {
	for len(events) > 0 {
		n := 1 + s.random.IntN(len(events))
		if !s.chance(s.traits.lost) {
			b.messages = append(b.messages, slices.Clone(events[:n]))
		}
		events = events[n:]
	}
}

// act delivers a message or lets the consumer look into the outbox.
func (b *simBus) act(s *sim) {
	if len(b.messages) == 0 || s.random.IntN(8) == 0 {
		b.catchUp(s)
		return
	}
	m := take(s, &b.messages)
	if s.chance(s.traits.doubled) {
		b.messages = append(b.messages, m)
	}
	b.receive(s, m)
}

func (b *simBus) receive(s *sim, events []corehour.Event) {
	if s.without == outboxCounting {
		b.take(s, events)
		return
	}
	for len(events) > 0 && events[0].Sequence <= b.taken {
		events = events[1:]
	}
	switch {
	case len(events) == 0:
	case events[0].Sequence > b.taken+1:
		b.catchUp(s)
	default:
		b.take(s, events)
	}
}

func (b *simBus) catchUp(s *sim) {
	if events := s.store.inside.read(b.taken, 1+s.random.IntN(64)); len(events) > 0 {
		b.take(s, events)
	}
}

// take is the consumer's transaction: the effect and the last number.
func (b *simBus) take(s *sim, events []corehour.Event) {
	if b.ledger == nil {
		b.ledger, b.counts = newWitness(simFatal{s, badLedger}), make(map[corehour.EventType]int)
	}
	for i := range events {
		e := &events[i]
		// Only what travels counts: a payload that is still at hand is read again.
		read := corehour.Event{Producer: e.Producer, Sequence: e.Sequence, Type: e.Type, Time: e.Time, Subject: e.Subject, Data: e.Data}
		payload, err := read.Payload()
		if err != nil || payload == nil {
			s.violate(badLedger, "event %s %s: %v", e.ID(), e.Type, err)
		}
		b.book(s, pendingEvent{typ: e.Type, at: e.Time, subject: e.Subject, data: reflect.ValueOf(payload).Elem().Interface()})
		b.counts[e.Type]++
	}
	b.taken = max(b.taken, events[len(events)-1].Sequence)
	s.note("consumer: has taken %d", b.taken)
}

// book writes an event into the ledger. One that comes before what it is about
// has no place there.
func (b *simBus) book(s *sim, e pendingEvent) {
	defer func() {
		if r := recover(); r != nil {
			if found, ok := r.(*failure); ok {
				panic(found)
			}
			s.violate(badLedger, "event %s of %s: %v", e.typ, e.subject, r)
		}
	}()
	b.ledger.see([]pendingEvent{e})
}

// simFatal makes a test's complaint a failure of the run.
type simFatal struct {
	s    *sim
	kind string
}

// Helper is for fataler.
func (simFatal) Helper() {}

// Fatalf is for fataler.
func (f simFatal) Fatalf(format string, args ...any) {
	f.s.violate(f.kind, "%s", fmt.Sprintf(format, args...))
}

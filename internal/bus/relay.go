package bus

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/corehour/corehour"
)

// relay publishes what appears at the end of one producer's outbox. It remembers
// nothing: what was appended while it was away, and what it could not publish,
// the consumers read from the outbox themselves.
type relay struct {
	bus       *Bus
	producer  corehour.Producer
	followers []*follower
	woken     chan struct{}
	published int64

	mu    sync.Mutex
	fresh []corehour.Event // committed just now and not yet published, without gaps
}

// maxFresh bounds the events that wait in memory; what is beyond is read back
// from the outbox.
const maxFresh = 8 * corehour.MaxFeedEvents

// offer takes over events that were just committed.
func (r *relay) offer(events []corehour.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.fresh)
	if n+len(events) > maxFresh || n > 0 && len(events) > 0 && events[0].Sequence != r.fresh[n-1].Sequence+1 {
		r.fresh = nil
		return
	}
	r.fresh = append(r.fresh, events...)
}

// offered gives the fresh events that follow on what was published, none where
// the outbox has to be read.
func (r *relay) offered() []corehour.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.fresh) > 0 && r.fresh[0].Sequence <= r.published {
		r.fresh = r.fresh[1:]
	}
	if len(r.fresh) == 0 || r.fresh[0].Sequence != r.published+1 {
		r.fresh = nil
		return nil
	}
	n := min(len(r.fresh), corehour.MaxFeedEvents)
	events := r.fresh[:n:n]
	r.fresh = r.fresh[n:]
	return events
}

func newRelay(b *Bus, producer corehour.Producer) *relay {
	return &relay{bus: b, producer: producer, woken: make(chan struct{}, 1)}
}

// load starts the relay at the end of the outbox.
func (r *relay) load(ctx context.Context) error {
	last, err := r.bus.LastSequence(ctx, r.producer)
	r.published = last
	return err
}

func (r *relay) run(ctx context.Context, c carrier) {
	poll := time.NewTicker(r.bus.poll)
	defer poll.Stop()
	delay := firstRetry
	for {
		if err := r.publishNew(ctx, c); err == nil {
			delay = firstRetry
		} else {
			if ctx.Err() != nil {
				return
			}
			r.bus.logger.Warn("bus: the relay could not publish; consumers read the outbox instead",
				"producer", r.producer, "after", r.published, "retry_in", delay, "error", err)
			r.giveUp(ctx)
			if !pause(ctx, delay) {
				return
			}
			delay = min(2*delay, maxRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.woken:
			// Every message costs each consumer a commit, so more may gather.
			if !pause(ctx, relayLinger) {
				return
			}
		case <-poll.C:
		}
	}
}

// publishNew publishes until the end of the outbox is reached.
func (r *relay) publishNew(ctx context.Context, c carrier) error {
	for {
		r.skipTaken()
		events, err := r.offered(), error(nil)
		if len(events) == 0 {
			events, err = Read(ctx, r.bus.db.Reader(), r.producer, r.published, corehour.MaxFeedEvents)
		}
		if err != nil || len(events) == 0 {
			return err
		}
		short := len(events) < corehour.MaxFeedEvents
		if c.inProcess() {
			decode(events) // on Redis they travel as JSON
		}
		for len(events) > 0 {
			n := messageLength(events)
			if err := c.publish(ctx, r.producer, events[:n:n]); err != nil {
				return err
			}
			r.published = events[n-1].Sequence
			events = events[n:]
		}
		if short {
			return nil
		}
	}
}

// decode reads the events once for all consumers of this node. What cannot be
// read fails where it is taken, with the consumer's name.
func decode(events []corehour.Event) {
	for i := range events {
		_ = events[i].Decode()
	}
}

// skipTaken passes over what every consumer has already read from the outbox
// itself, after it had fallen behind.
func (r *relay) skipTaken() {
	least := int64(math.MaxInt64)
	for _, f := range r.followers {
		taken, _ := f.taken()
		least = min(least, taken)
	}
	r.published = max(r.published, least)
}

// messageLength is how many of the events fit into one message, at least one.
func messageLength(events []corehour.Event) int {
	size := 0
	for i := range events {
		size += len(events[i].Data)
		if i > 0 && size > MaxMessageBytes {
			return i
		}
	}
	return len(events)
}

// giveUp hands what could not be published to the consumers of this node, which
// read it from the outbox; those of other nodes find it at their next poll.
func (r *relay) giveUp(ctx context.Context) {
	if last, err := r.bus.LastSequence(ctx, r.producer); err == nil {
		r.published = last
	}
	for _, f := range r.followers {
		wake(f.woken)
	}
}

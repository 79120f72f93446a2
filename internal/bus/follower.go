package bus

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/corehour/corehour"
)

// errMoved says that the stored position is not where this node believed:
// another node, or an earlier commit whose answer was lost, has moved it.
var errMoved = errors.New("bus: the position has moved")

// follower takes one producer's events for one consumer.
type follower struct {
	bus      *Bus
	consumer Consumer
	producer corehour.Producer
	serial   *sync.Mutex // one Take at a time per consumer, whichever the producer
	messages chan delivery
	woken    chan struct{}

	// batch is how many events the next Take gets. It halves when a Take fails,
	// so that the events before the one that fails are taken and the log names it.
	batch    int
	attempts int

	mu       sync.Mutex
	position int64
	changed  chan struct{} // closed and replaced when position rises
}

// delivery is a message's events and its acknowledgement.
type delivery struct {
	events  []corehour.Event
	trusted bool
	ack     func()
}

func newFollower(b *Bus, c Consumer, producer corehour.Producer, serial *sync.Mutex) *follower {
	return &follower{
		bus: b, consumer: c, producer: producer, serial: serial,
		messages: make(chan delivery), woken: make(chan struct{}, 1),
		batch: corehour.MaxFeedEvents, changed: make(chan struct{}),
	}
}

// taken is the last event known to be taken, and a channel that closes when that rises.
func (f *follower) taken() (int64, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.position, f.changed
}

// moved notes a committed position. Positions only rise.
func (f *follower) moved(to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to > f.position {
		f.position = to
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// load reads the position that is stored.
func (f *follower) load(ctx context.Context) error {
	p, err := Position(ctx, f.bus.db.Reader(), f.consumer.Name, f.producer)
	if err != nil {
		return err
	}
	f.moved(p)
	return nil
}

// run takes events until ctx ends. While a Take is failing, messages are
// acknowledged unread, so that the other consumers of the producer do not wait;
// the retry reads the outbox.
func (f *follower) run(ctx context.Context) {
	poll := time.NewTicker(f.bus.poll)
	defer poll.Stop()
	retry := time.NewTimer(0) // the first catch-up is at once
	defer retry.Stop()
	failing := true
	fed := false // whether a message brought something new since the last poll
	delay := firstRetry
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case d := <-f.messages:
			if !failing {
				before, _ := f.taken()
				err = f.receive(ctx, d)
				after, _ := f.taken()
				fed = fed || after > before
			}
			d.ack()
		case <-f.woken:
			if !failing {
				err = f.catchUp(ctx)
			}
		case <-poll.C:
			// The poll is for what no message tells of.
			if !failing && !fed {
				err = f.catchUp(ctx)
			}
			fed = false
		case <-retry.C:
			failing = false
			err = f.catchUp(ctx)
		}
		if err == nil {
			if !failing {
				delay = firstRetry
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		// While the events that fail are still being narrowed down, there is no
		// reason to wait; once it is one, there is nothing else to do.
		if f.narrowing(err) {
			delay = firstRetry
		}
		f.logFailure(err, delay)
		failing = true
		retry.Reset(delay)
		delay = min(2*delay, maxRetry)
	}
}

// narrowing reports a failed Take of several events: the next one gets fewer.
func (f *follower) narrowing(err error) bool {
	var failed *takeError
	return errors.As(err, &failed) && failed.count > 1
}

// receive takes a message's events, as far as they follow on what was taken.
func (f *follower) receive(ctx context.Context, d delivery) error {
	position, _ := f.taken()
	events := d.events
	for len(events) > 0 && events[0].Sequence <= position {
		events = events[1:]
	}
	if len(events) == 0 {
		return nil
	}
	if events[0].Sequence != position+1 {
		return f.catchUp(ctx)
	}
	if !d.trusted {
		same, err := f.inOutbox(ctx, &events[len(events)-1])
		if err != nil {
			return err
		}
		if !same {
			f.bus.logger.Warn("bus: a message tells another story than the outbox and is dropped; does another Corehour use this Redis?",
				"consumer", f.consumer.Name, "event", events[len(events)-1].ID())
			return f.catchUp(ctx)
		}
		decode(events)
	}
	for len(events) > 0 {
		n := min(f.batch, len(events))
		err := f.take(ctx, events[:n:n])
		if errors.Is(err, errMoved) {
			return f.catchUp(ctx)
		}
		if err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// inOutbox reports whether an event is the one that the outbox has under its
// number. Histories that part never meet again in the microsecond, type and
// subject of one event, so the last event of a message speaks for those before it.
func (f *follower) inOutbox(ctx context.Context, e *corehour.Event) (bool, error) {
	stored, err := Read(ctx, f.bus.db.Reader(), f.producer, e.Sequence-1, 1)
	if err != nil || len(stored) == 0 {
		return false, err
	}
	s := &stored[0]
	return s.Sequence == e.Sequence && s.Time == e.Time && s.Type == e.Type && s.Subject == e.Subject, nil
}

// catchUp takes what stands in the outbox after the position. It stops at what
// was the end when it began: what comes after that arrives as messages, which the
// relay reads once for all consumers.
func (f *follower) catchUp(ctx context.Context) error {
	end, err := f.bus.LastSequence(ctx, f.producer)
	if err != nil {
		return err
	}
	for {
		position, _ := f.taken()
		if position >= end {
			return nil
		}
		events, err := Read(ctx, f.bus.db.Reader(), f.producer, position, f.batch)
		if err != nil {
			return err
		}
		if len(events) == 0 || events[0].Sequence != position+1 {
			return fmt.Errorf("bus: the outbox of %s has no event %d", f.producer, position+1)
		}
		decode(events)
		if err := f.take(ctx, events); errors.Is(err, errMoved) {
			if err := f.load(ctx); err != nil {
				return err
			}
			if now, _ := f.taken(); now == position {
				// Only a database that was replaced under us stands behind.
				return fmt.Errorf("bus: the position of %s in %s went back", f.consumer.Name, f.producer)
			}
		} else if err != nil {
			return err
		}
	}
}

// take applies consecutive events that start right after the position, and
// records the new one, in one transaction.
func (f *follower) take(ctx context.Context, events []corehour.Event) error {
	from, to := events[0].Sequence-1, events[len(events)-1].Sequence
	f.serial.Lock()
	err := f.bus.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		free, err := moveTo(ctx, tx, f.consumer.Name, f.producer, from, to)
		if err != nil {
			return err
		}
		if !free {
			return errMoved
		}
		return f.consumer.Take(ctx, tx, events)
	})
	f.serial.Unlock()
	if errors.Is(err, errMoved) {
		return err
	}
	if err != nil {
		f.batch = max(1, len(events)/2)
		return &takeError{first: &events[0], count: len(events), err: err}
	}
	f.attempts = 0
	f.batch = min(2*f.batch, corehour.MaxFeedEvents)
	f.moved(to)
	if f.consumer.Committed != nil {
		f.consumer.Committed()
	}
	return nil
}

// takeError is a Take that failed, with the events it was given.
type takeError struct {
	first *corehour.Event
	count int
	err   error
}

func (e *takeError) Error() string { return "bus: take " + e.first.ID() + ": " + e.err.Error() }
func (e *takeError) Unwrap() error { return e.err }

func (f *follower) logFailure(err error, delay time.Duration) {
	f.attempts++
	log := f.bus.logger.With("consumer", f.consumer.Name, "producer", f.producer,
		"attempt", f.attempts, "retry_in", delay, "error", err)
	var failed *takeError
	if errors.As(err, &failed) {
		log.Error("bus: a consumer failed to take events and will try again",
			"event", failed.first.ID(), "type", failed.first.Type, "subject", failed.first.Subject, "events", failed.count)
		return
	}
	log.Error("bus: a consumer cannot read its events and will try again")
}

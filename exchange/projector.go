package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// projector writes what happened into SQL: events to the outbox, the tables that
// readers query, and the position in the log, all in one transaction. Applied
// batches that have gathered meanwhile share a transaction.
//
// Every node of a cluster has the same batches to write, and the position, moved
// by compare-and-set in the same transaction, lets one of them do it. A node that
// was second watches the position, and takes over when that stands still.
type projector struct {
	store     projectionStore
	logger    *slog.Logger
	projected func([]corehour.Event)
	corrupt   func(error) // is told where the projection is not of this node's log; may be nil

	// urgent is filled by a reader who waits, so that what has gathered is
	// written now.
	urgent chan struct{}
	// more is filled when a batch was added, room when some were taken.
	more, room chan struct{}

	mu       sync.Mutex
	waiting  []projection // not written yet, in the order of the log
	events   int          // of those
	finished bool
	at       log.Position
	moved    chan struct{} // closed and replaced when at moves
	stopped  atomic.Pointer[error]

	// watching is set while another node writes; movedAt is when the position was
	// last seen to move.
	watching bool
	movedAt  time.Time
}

// projection is the outcome of one batch of the log.
type projection struct {
	at     log.Position
	events []pendingEvent
}

const (
	// maxProjectedEvents bounds the events of one transaction, give or take a batch.
	maxProjectedEvents = 4096
	// MaxUnprojectedEvents bounds the events that wait for the database, give or
	// take a batch. Past it nothing more is applied until some are written.
	MaxUnprojectedEvents = 1 << 20
	// projectionLinger is how long a transaction waits for more to write, because
	// every commit waits for the disk. A reader who waits ends it.
	projectionLinger = 20 * time.Millisecond
	retryProjectFrom = 100 * time.Millisecond
	retryProjectTo   = 5 * time.Second

	// A node whose projection is written by another one looks how far that is so
	// often, and takes over when it has stood still for so long.
	watchProjection = 50 * time.Millisecond
	takeOverAfter   = time.Second
)

func newProjector(c *Config, store projectionStore, at log.Position) *projector {
	return &projector{
		store: store, logger: c.Logger, projected: c.Projected, at: at, urgent: make(chan struct{}, 1), more: make(chan struct{}, 1), room: make(chan struct{}, 1),
		moved: make(chan struct{}),
	}
}

// feed hands a batch over; it waits where too much is unwritten.
func (p *projector) feed(next projection) {
	for !p.add(next) {
		<-p.room
	}
	wake(p.more)
}

func (p *projector) add(next projection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.at.Sequence <= p.at.Sequence { // another node has written it before this one applied it
		if next.at.Sequence == p.at.Sequence && next.at.Hash != p.at.Hash {
			p.giveUp(writtenFromAnother(next.at.Sequence))
		}
		return true
	}
	switch {
	case p.failure() != nil:
		return true // nothing more is written
	case p.events >= MaxUnprojectedEvents:
		return false
	}
	p.waiting = append(p.waiting, next)
	p.events += len(next.events)
	return true
}

// finish says that no batch will follow.
func (p *projector) finish() {
	p.mu.Lock()
	p.finished = true
	p.mu.Unlock()
	wake(p.more)
}

func wake(waiter chan struct{}) {
	select {
	case waiter <- struct{}{}:
	default:
	}
}

// run projects until finish; a transaction that fails is tried again until it
// succeeds or the context ends, because the log cannot be taken back.
func (p *projector) run(ctx context.Context) {
	for delay := retryProjectFrom; ; {
		batches, finished := p.next(ctx)
		switch {
		case ctx.Err() != nil && (len(batches) > 0 || !finished):
			p.giveUp(fmt.Errorf("exchange: stopped before the projection was complete: %w", ctx.Err()))
			return
		case len(batches) == 0 && finished:
			return
		case len(batches) == 0:
			continue
		}
		wrote, err := p.attempt(ctx, batches)
		switch {
		case wrote:
			delay = retryProjectFrom
		case err != nil:
			p.logger.Error("the projection failed", "sequence", batches[0].at.Sequence, "error", err)
			if corehour.CodeOf(err) == CodeCorrupt {
				p.giveUp(err)
				return
			}
			sleep(ctx, delay)
			delay = min(2*delay, retryProjectTo)
		}
	}
}

// attempt writes batches, or finds out how far another node has written them.
func (p *projector) attempt(ctx context.Context, batches []projection) (wrote bool, err error) {
	err = p.project(ctx, batches)
	if errors.Is(err, errPositionMoved) {
		return false, p.watch(ctx)
	}
	return err == nil, err
}

// giveUp ends the projection; who feeds it must not wait for it any more.
func (p *projector) giveUp(err error) {
	p.stopped.CompareAndSwap(nil, &err)
	wake(p.room)
	if p.corrupt != nil && corehour.CodeOf(err) == CodeCorrupt {
		p.corrupt(err)
	}
}

// next waits for batches to write and takes those of one transaction; while
// another node writes, it takes none unless that one has stopped. It leaves them
// where they are until they are written.
func (p *projector) next(ctx context.Context) (batches []projection, finished bool) {
	if p.watching && time.Since(p.movedAt) < takeOverAfter {
		p.pause(ctx, watchProjection)
		if err := p.watch(ctx); corehour.CodeOf(err) == CodeCorrupt {
			p.giveUp(err)
			return nil, true
		} else if err != nil {
			p.logger.Warn("the projection cannot be watched", "error", err)
		}
		batches, finished = p.gathered()
		return nil, finished && len(batches) == 0
	}
	if batches, finished = p.gathered(); len(batches) == 0 && !finished {
		select {
		case <-p.more:
		case <-ctx.Done():
		}
	}
	if !finished && unwritten(batches) < maxProjectedEvents {
		p.pause(ctx, projectionLinger)
	}
	return p.gathered()
}

func unwritten(batches []projection) (events int) {
	for _, b := range batches {
		events += len(b.events)
	}
	return events
}

// pause waits for a moment, unless a reader waits.
func (p *projector) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.urgent:
	case <-ctx.Done():
	}
}

// gathered is what one transaction would write now.
func (p *projector) gathered() (batches []projection, finished bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, events := 0, 0
	for n < len(p.waiting) && events < maxProjectedEvents {
		events += len(p.waiting[n].events)
		n++
	}
	return p.waiting[:n:n], p.finished
}

func (p *projector) failure() error {
	if err := p.stopped.Load(); err != nil {
		return *err
	}
	return nil
}

// project writes batches that follow one another in one transaction.
func (p *projector) project(ctx context.Context, batches []projection) error {
	last := batches[len(batches)-1]
	rows := newRowChanges()
	var events []corehour.Event
	for _, b := range batches {
		for _, e := range b.events {
			event, err := corehour.NewEvent(e.typ, e.at, e.subject, e.data)
			if err != nil {
				return err
			}
			events = append(events, event)
			rows.note(e)
		}
	}
	if err := p.store.write(ctx, p.at, last.at, events, rows); err != nil {
		return err
	}
	p.watching = false
	p.advance(last.at)
	if len(events) > 0 {
		p.projected(events)
	}
	return nil
}

// watch goes on from where the projection really stands: another node has moved
// it, or a commit of this one succeeded without an acknowledgement. A position
// that is not on this node's log is refused.
func (p *projector) watch(ctx context.Context) error {
	stored, err := p.store.position(ctx)
	if err != nil {
		return err
	}
	if !p.watching {
		p.watching, p.movedAt = true, time.Now()
	}
	switch {
	case stored.Sequence < p.at.Sequence:
		return log.Corrupt(stored.Sequence, "the projection went back: its database was replaced")
	case stored.Sequence == p.at.Sequence:
		return nil
	}
	p.mu.Lock()
	waiting := p.waiting
	p.mu.Unlock()
	for _, b := range waiting {
		if b.at.Sequence == stored.Sequence && b.at.Hash != stored.Hash {
			return writtenFromAnother(b.at.Sequence)
		}
	}
	p.movedAt = time.Now()
	p.advance(stored)
	return nil
}

func writtenFromAnother(sequence uint64) error {
	return log.Corrupt(sequence, "the projection was written from another log")
}

// advance notes where the projection stands, forgets what is written, and wakes
// those who wait for either.
func (p *projector) advance(to log.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = to
	for len(p.waiting) > 0 && p.waiting[0].at.Sequence <= to.Sequence {
		p.events -= len(p.waiting[0].events)
		p.waiting[0].events = nil
		p.waiting = p.waiting[1:]
	}
	close(p.moved)
	p.moved = make(chan struct{})
	wake(p.room)
}

// reached is the sequence that the projection stands at.
func (p *projector) reached() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.Sequence
}

// wait returns once the projection has reached a sequence.
func (p *projector) wait(ctx context.Context, sequence uint64) error {
	for {
		p.mu.Lock()
		reached, moved := p.at.Sequence >= sequence, p.moved
		p.mu.Unlock()
		if reached {
			return nil
		}
		if err := p.failure(); err != nil {
			return unavailable("the projection has stopped", err)
		}
		wake(p.urgent)
		select {
		case <-moved:
		case <-ctx.Done():
			return unavailable("the projection is behind", ctx.Err())
		case <-time.After(time.Second): // to see a failure
		}
	}
}

package exchange

import (
	"context"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *database.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "exchange", files)
}

// projector writes what happened into SQL: events to the outbox, the tables that
// readers query, and the position in the log, all in one transaction. Applied
// batches that have gathered meanwhile share a transaction.
type projector struct {
	cfg   Config
	input chan projection

	// urgent is filled by a reader who waits, so that what has gathered is
	// written now.
	urgent chan struct{}

	mu      sync.Mutex
	at      position
	moved   chan struct{} // closed and replaced when at moves
	stopped atomic.Pointer[error]
}

// projection is the outcome of one batch of the log.
type projection struct {
	sequence uint64
	hash     Hash
	events   []pendingEvent
}

// position is where the projection stands in the log.
type position struct {
	sequence uint64
	hash     Hash
}

const (
	// maxProjectedEvents bounds the events of one transaction, give or take a batch.
	maxProjectedEvents = 4096
	// projectionLinger is how long a transaction waits for more to write, because
	// every commit waits for the disk. A reader who waits ends it.
	projectionLinger = 20 * time.Millisecond
	retryProjectFrom = 100 * time.Millisecond
	retryProjectTo   = 5 * time.Second
)

func newProjector(c Config, at position) *projector {
	return &projector{cfg: c, at: at, input: make(chan projection, appliedBatches), urgent: make(chan struct{}, 1), moved: make(chan struct{})}
}

func readPosition(ctx context.Context, db *database.DB) (position, error) {
	var at position
	var text string
	err := db.Reader().QueryRowContext(ctx, `SELECT sequence, hash FROM exchange_position WHERE id = 1`).Scan(&at.sequence, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return at, nil
	}
	if err != nil {
		return at, fmt.Errorf("exchange: position: %w", err)
	}
	if n, err := hex.Decode(at.hash[:], []byte(text)); err != nil || n != len(at.hash) {
		return at, corrupt(at.sequence, "the projection's hash is not a hash")
	}
	return at, nil
}

// feed hands a batch over; it waits where the projection is too far behind.
func (p *projector) feed(next projection) { p.input <- next }

// finish says that no batch will follow.
func (p *projector) finish() { close(p.input) }

// run projects until finish; a transaction that fails is tried again until it
// succeeds or the context ends, because the log cannot be taken back.
func (p *projector) run(ctx context.Context) {
	for first := range p.input {
		batches := p.gather(first)
		if p.failure() != nil {
			continue
		}
		for delay := retryProjectFrom; ; delay = min(2*delay, retryProjectTo) {
			err := p.project(ctx, batches)
			if err == nil {
				break
			}
			p.cfg.Logger.Error("the projection failed", "sequence", first.sequence, "error", err)
			if corehour.CodeOf(err) == CodeCorrupt || !sleep(ctx, delay) {
				p.stopped.CompareAndSwap(nil, &err)
				break
			}
		}
	}
}

// gather waits for more to write in the same transaction, for a moment.
func (p *projector) gather(first projection) []projection {
	batches, events := []projection{first}, len(first.events)
	linger := time.NewTimer(projectionLinger)
	defer linger.Stop()
	for events < maxProjectedEvents {
		select {
		case next, ok := <-p.input:
			if !ok {
				return batches
			}
			batches = append(batches, next)
			events += len(next.events)
		case <-p.urgent:
			return batches
		case <-linger.C:
			return batches
		}
	}
	return batches
}

func (p *projector) failure() error {
	if err := p.stopped.Load(); err != nil {
		return *err
	}
	return nil
}

// project writes batches that follow one another in one transaction. It passes
// over those that another node has written before.
func (p *projector) project(ctx context.Context, batches []projection) error {
	for len(batches) > 0 && batches[0].sequence <= p.at.sequence {
		batches = batches[1:]
	}
	if len(batches) == 0 {
		return nil
	}
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
	err := p.cfg.DB.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := moveTo(ctx, tx, p.at, position{sequence: last.sequence, hash: last.hash}); err != nil {
			return err
		}
		if err := bus.Append(ctx, tx, corehour.ProducerExchange, events); err != nil {
			return err
		}
		return rows.write(ctx, tx)
	})
	if errors.Is(err, errPositionMoved) {
		if err := p.adopt(ctx, batches); err != nil {
			return err
		}
		return p.project(ctx, batches)
	}
	if err != nil {
		return err
	}
	p.advance(position{sequence: last.sequence, hash: last.hash})
	if len(events) > 0 {
		p.cfg.Projected(events)
	}
	return nil
}

// moveTo advances the stored position if it is where this node left it, so that
// of two nodes only one writes each batch.
func moveTo(ctx context.Context, tx *sql.Tx, from, to position) error {
	var result sql.Result
	var err error
	if from.sequence == 0 {
		result, err = tx.ExecContext(ctx, `INSERT INTO exchange_position (id, sequence, hash) VALUES (1, $1, $2)
			ON CONFLICT (id) DO NOTHING`, int64(to.sequence), to.hash.String())
	} else {
		result, err = tx.ExecContext(ctx, `UPDATE exchange_position SET sequence = $1, hash = $2 WHERE id = 1 AND sequence = $3`,
			int64(to.sequence), to.hash.String(), int64(from.sequence))
	}
	if err != nil {
		return fmt.Errorf("exchange: position: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errPositionMoved)
	}
	return nil
}

// errPositionMoved says that the projection is not where this node left it: a
// commit succeeded whose acknowledgement was lost, or another node of the same
// log has written these batches.
var errPositionMoved = errors.New("exchange: the projection was moved meanwhile")

// adopt goes on from where the projection really stands. A position that is not
// on this node's log is refused.
func (p *projector) adopt(ctx context.Context, batches []projection) error {
	stored, err := readPosition(ctx, p.cfg.DB)
	if err != nil {
		return err
	}
	if stored.sequence <= p.at.sequence {
		return corrupt(stored.sequence, "the projection went back: its database was replaced")
	}
	for _, b := range batches {
		if b.sequence == stored.sequence && b.hash != stored.hash {
			return corrupt(b.sequence, "the projection was written from another log")
		}
	}
	p.advance(stored)
	return nil
}

// advance notes where the projection stands and wakes those who wait for it.
func (p *projector) advance(to position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = to
	close(p.moved)
	p.moved = make(chan struct{})
}

// wait returns once the projection has reached a sequence.
func (p *projector) wait(ctx context.Context, sequence uint64) error {
	for {
		p.mu.Lock()
		reached, moved := p.at.sequence >= sequence, p.moved
		p.mu.Unlock()
		if reached {
			return nil
		}
		if err := p.failure(); err != nil {
			return unavailable("the projection has stopped", err)
		}
		select {
		case p.urgent <- struct{}{}:
		default:
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return unavailable("the projection is behind", ctx.Err())
		case <-time.After(time.Second): // to see a failure
		}
	}
}

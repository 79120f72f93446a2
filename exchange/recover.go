package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corehour/corehour/exchange/log"
)

// recover brings the state to the end of the log and the projection with it:
// from the newest snapshot that verifies and that the projection has reached,
// then batch by batch, checking the chain of hashes. A log that does not hold what
// the mark or the projection names is refused.
func (x *Exchange) recover(ctx context.Context) error {
	began := time.Now()
	// The position first: another node may be appending, and projecting, meanwhile.
	projected, err := x.disk.store.position(ctx)
	if err != nil {
		return err
	}
	first, last, err := x.disk.log.Bounds(ctx)
	if err != nil {
		return err
	}
	if err := confirmBoth(ctx, x.disk.log, x.disk.mark.At(), projected, first, last); err != nil {
		return err
	}
	if x.state, x.at, err = x.newestSnapshot(ctx, first, min(projected.Sequence, last)); err != nil {
		return err
	}
	x.state.forgetful = x.forgetful
	from := x.at.Sequence
	x.startedFrom = x.at
	x.projector = newProjector(&x.cfg, x.disk.store, projected)
	x.projector.corrupt = x.fail
	if err := x.replay(ctx, last, projected.Sequence); err != nil {
		return err
	}
	x.applied.Store(x.at.Sequence)
	x.cfg.Logger.Info("the exchange is at the end of its log", "sequence", last, "snapshot", from,
		"projected", projected.Sequence, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// follow applies one message of the log after checking that it is the batch that
// follows a position.
func (s *State) follow(chain chainCheck, at log.Position, sequence uint64, payload []byte) ([]pendingEvent, log.Position, error) {
	b, after, err := chain(at, sequence, payload)
	if err != nil {
		return nil, at, err
	}
	events, err := s.applyEntries(b.Entries)
	if err != nil {
		return nil, at, log.Corrupt(sequence, err.Error())
	}
	return events, after, nil
}

// confirmBoth refuses a log that does not lead to where the node's mark and the
// projection stand.
func confirmBoth(ctx context.Context, l commandLog, mark, projected log.Position, first, last uint64) error {
	if err := confirm(ctx, l, mark, "this node has acknowledged commands of it", first, last); err != nil {
		return err
	}
	return confirm(ctx, l, projected, "the projection was written from it", first, last)
}

// confirm refuses a log that does not hold the batch at which something outside
// of it stands.
func confirm(ctx context.Context, l commandLog, at log.Position, who string, first, last uint64) error {
	switch {
	case at.Sequence == 0, at.Sequence+1 == first:
		return nil // before all that the log holds; the snapshot is checked against that
	case at.Sequence < first:
		return log.Corrupt(at.Sequence, fmt.Sprintf("%s, but the log begins at %d", who, first))
	case at.Sequence > last:
		return log.Corrupt(last+1, fmt.Sprintf("the log ends at %d, but %s up to %d: it was truncated, or replaced by another one", last, who, at.Sequence))
	}
	payload, err := l.At(ctx, at.Sequence)
	if err != nil {
		return err
	}
	if log.HashOf(payload) != at.Hash {
		return log.Corrupt(at.Sequence, "the batch is not the one that was here when "+who)
	}
	return nil
}

// replay applies the rest of the log. Events that the projection has seen are
// dropped, the others are projected.
func (x *Exchange) replay(ctx context.Context, last, projected uint64) error {
	return x.disk.log.Read(ctx, x.at.Sequence+1, last, func(sequence uint64, payload []byte) error {
		events, after, err := x.state.follow(x.chain, x.at, sequence, payload)
		if err != nil {
			return err
		}
		x.at = after
		if sequence <= projected {
			return nil
		}
		return x.projector.catchUp(ctx, projection{at: after, events: events})
	})
}

// catchUp writes a batch during recovery, if another node has not written it
// meanwhile.
func (p *projector) catchUp(ctx context.Context, next projection) error {
	if next.at.Sequence <= p.at.Sequence {
		return nil
	}
	err := p.project(ctx, []projection{next})
	if errors.Is(err, errPositionMoved) {
		if err = p.watch(ctx); err == nil {
			return p.catchUp(ctx, next)
		}
	}
	return err
}

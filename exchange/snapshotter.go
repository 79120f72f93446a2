package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corehour/corehour/exchange/log"
)

// Snapshots of a running node are made from the log, not from the state that
// trades: the newest snapshot is loaded into a state of its own, the log is applied
// to it up to where the projection stands, and what that leads to is written. So
// the engine never waits for one, however many orders are open; and each snapshot
// proves that the one before it and the log lead to a state. For the time of that
// the process holds two states.

// snapshotRest keeps the making of snapshots to about a tenth of one processor: a
// node rests so many times as long as the last one took.
const snapshotRest = 9

// snapshotLoop makes a snapshot each time that enough commands have been applied.
func (x *Exchange) snapshotLoop(ctx context.Context) {
	for {
		select {
		case <-x.snapshotDue:
		case <-x.draining:
			return
		}
		began := time.Now()
		at, err := x.snapshotFromLog(ctx)
		took := time.Since(began)
		switch {
		case err == nil:
			x.cfg.Logger.Info("a snapshot was written", "sequence", at.Sequence, "commands", at.Commands, "took", took.Round(time.Millisecond))
		case ctx.Err() == nil:
			x.cfg.Logger.Error("no snapshot was written", "error", err)
		}
		if err == nil {
			if err := x.retire(ctx); err != nil && ctx.Err() == nil {
				x.cfg.Logger.Error("old batches stay in the log", "error", err)
			}
		}
		if !sleepUnless(x.draining, snapshotRest*took) {
			return
		}
	}
}

// snapshotFromLog writes a snapshot of the newest point of the log that the
// projection has reached, because a start needs one that is not beyond that.
func (x *Exchange) snapshotFromLog(ctx context.Context) (log.Position, error) {
	first, last, err := x.disk.log.Bounds(ctx)
	if err != nil {
		return log.Position{}, err
	}
	reached := min(last, x.applied.Load(), x.projector.reached())
	state, at, err := x.newestSnapshot(ctx, first, reached)
	if err != nil {
		return at, err
	}
	err = x.disk.log.Read(ctx, at.Sequence+1, reached, func(sequence uint64, payload []byte) error {
		if x.closing() {
			return errStopping // the last snapshot is that of the state itself
		}
		_, at, err = state.follow(x.chain, at, sequence, payload)
		return err
	})
	if err != nil {
		return at, err
	}
	return at, writeSnapshot(x.disk.snapshots, snapshot{Version: snapshotVersion, At: at, State: state.encode()})
}

func (x *Exchange) closing() bool {
	select {
	case <-x.draining:
		return true
	default:
		return false
	}
}

// newestSnapshot is the state of the newest snapshot not beyond a sequence that is
// whole and that the log confirms. Without one the state is empty, and the log must
// begin at its beginning.
func (x *Exchange) newestSnapshot(ctx context.Context, first, most uint64) (*State, log.Position, error) {
	sequences, err := x.disk.snapshots.list()
	if err != nil {
		return nil, log.Position{}, err
	}
	for _, sequence := range sequences {
		if sequence > most || sequence == 0 || sequence+1 < first {
			continue
		}
		state, at, err := x.tryLoad(ctx, sequence, first)
		if err != nil {
			x.cfg.Logger.Warn("a snapshot is passed over", "sequence", sequence, "error", err)
			continue
		}
		return state, at, nil
	}
	if first > 1 {
		return nil, log.Position{}, log.Corrupt(first-1, fmt.Sprintf("the log begins at %d and no snapshot reaches it: what was before is needed to go on", first))
	}
	return NewState(), log.Position{}, nil
}

func (x *Exchange) tryLoad(ctx context.Context, sequence, first uint64) (*State, log.Position, error) {
	snap, err := readSnapshot(x.disk.snapshots, sequence)
	if err != nil {
		return nil, log.Position{}, err
	}
	if sequence >= first { // else the next batch confirms it
		payload, err := x.disk.log.At(ctx, sequence)
		if err != nil {
			return nil, log.Position{}, err
		}
		if log.HashOf(payload) != snap.At.Hash {
			return nil, log.Position{}, errors.New("the log has another batch at its sequence")
		}
	}
	state, err := decodeState(snap.State)
	return state, snap.At, err
}

package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// recover brings the state to the end of the log and the projection with it:
// from the newest snapshot that verifies and that the projection has reached,
// then batch by batch, checking the chain of hashes.
func (x *Exchange) recover(ctx context.Context) error {
	began := time.Now()
	// The position first: another node may be appending, and projecting, meanwhile.
	at, err := readPosition(ctx, x.cfg.DB)
	if err != nil {
		return err
	}
	last, err := x.log.last(ctx)
	if err != nil {
		return err
	}
	if err := x.checkPosition(ctx, at, last); err != nil {
		return err
	}
	if err := x.loadSnapshot(ctx, min(at.sequence, last)); err != nil {
		return err
	}
	from := x.sequence
	x.projector = newProjector(x.cfg, at)
	if err := x.replay(ctx, last, at); err != nil {
		return err
	}
	x.applied.Store(x.sequence)
	x.cfg.Logger.Info("the exchange is at the end of its log", "sequence", last, "snapshot", from,
		"projected", at.sequence, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// checkPosition refuses a log that does not lead to where the projection stands.
func (x *Exchange) checkPosition(ctx context.Context, at position, last uint64) error {
	if at.sequence == 0 {
		return nil
	}
	if at.sequence > last {
		return corrupt(at.sequence, fmt.Sprintf("the projection stands here, but the log ends at %d: "+
			"the log was truncated, or DATABASE_URL and the log do not belong together", last))
	}
	payload, err := x.log.at(ctx, at.sequence)
	if err != nil {
		return err
	}
	if sha256.Sum256(payload) != at.hash {
		return corrupt(at.sequence, "the batch is not the one that the projection was written from")
	}
	return nil
}

// loadSnapshot takes the newest snapshot not beyond a sequence that is whole and
// that the log confirms. Without one the state is empty.
func (x *Exchange) loadSnapshot(ctx context.Context, most uint64) error {
	x.state = NewState()
	sequences, err := listSnapshots(x.cfg.SnapshotDir)
	if err != nil {
		return err
	}
	for _, sequence := range sequences {
		if sequence > most || sequence == 0 {
			continue
		}
		state, chain, err := x.tryLoad(ctx, sequence)
		if err != nil {
			x.cfg.Logger.Warn("a snapshot is passed over", "sequence", sequence, "error", err)
			continue
		}
		x.state, x.sequence, x.chain = state, sequence, chain
		return nil
	}
	return nil
}

func (x *Exchange) tryLoad(ctx context.Context, sequence uint64) (*State, Hash, error) {
	snap, err := readSnapshot(x.cfg.SnapshotDir, sequence)
	if err != nil {
		return nil, Hash{}, err
	}
	payload, err := x.log.at(ctx, sequence)
	if err != nil {
		return nil, Hash{}, err
	}
	if sha256.Sum256(payload) != snap.Chain {
		return nil, Hash{}, errors.New("the log has another batch at its sequence")
	}
	state, err := decodeState(snap.State)
	return state, snap.Chain, err
}

// replay applies the rest of the log. Events that the projection has seen are
// dropped, the others are projected.
func (x *Exchange) replay(ctx context.Context, last uint64, at position) error {
	return x.log.read(ctx, x.sequence+1, last, func(sequence uint64, payload []byte) error {
		events, hash, err := x.state.applyPayload(sequence, payload, x.chain)
		if err != nil {
			return err
		}
		x.sequence, x.chain = sequence, hash
		if sequence <= at.sequence {
			return nil
		}
		return x.projector.project(ctx, []projection{{sequence: sequence, hash: hash, events: events}})
	})
}

// applyPayload applies one message of the log after checking that it follows
// the batch before it.
func (s *State) applyPayload(sequence uint64, payload []byte, chain Hash) ([]pendingEvent, Hash, error) {
	b, err := decodeBatch(payload)
	if err != nil {
		return nil, Hash{}, corrupt(sequence, err.Error())
	}
	if b.Previous != chain {
		return nil, Hash{}, corrupt(sequence, "the batch does not follow the one before it: one was altered, lost or reordered")
	}
	events, err := s.applyEntries(b.Entries)
	if err != nil {
		return nil, Hash{}, corrupt(sequence, err.Error())
	}
	return events, sha256.Sum256(payload), nil
}

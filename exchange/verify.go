package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/corehour/corehour/exchange/log"
)

// Verification is what a replay of the whole log found.
type Verification struct {
	Batches   uint64
	Commands  uint64
	StateHash Hash
	// Position is where the projection stands, and Snapshots how many snapshot
	// files were compared with the replayed state at their sequence.
	Position  uint64
	Snapshots int
	// Accounts are the funds in the replayed state.
	Accounts []AccountView
}

// Verify replays the log from sequence 1 in a state of its own, checks the chain
// of hashes, every snapshot against the state at its sequence, the node's mark and
// the position of the projection. It needs the log to itself and changes nothing.
// Each problem it finds names the sequence.
func Verify(ctx context.Context, c Config, progress func(done, total uint64)) (v Verification, err error) {
	l, err := log.Open(ctx, c.Log)
	if err != nil {
		return v, err
	}
	defer l.Close()
	projected, err := sqlStore{c.DB}.position(ctx)
	if err != nil {
		return v, err
	}
	first, last, err := l.Bounds(ctx)
	if err != nil {
		return v, err
	}
	mark, _, err := log.ReadMark(c.MarkFile)
	if err != nil {
		return v, err
	}
	v.Position = projected.Sequence
	if err := confirmBoth(ctx, l, mark, projected, first, last); err != nil {
		return v, err
	}
	snapshots, err := snapshotsUpTo(snapshotDir(c.SnapshotDir), last)
	if err != nil {
		return v, err
	}
	state, at := NewState(), log.Position{}
	err = readAll(ctx, l, c.Retention.Archive, first, last, func(sequence uint64, payload []byte) error {
		if _, at, err = state.follow(log.Position.Follow, at, sequence, payload); err != nil {
			return err
		}
		if snapshots[sequence] {
			if err := compareSnapshot(snapshotDir(c.SnapshotDir), at, state); err != nil {
				return err
			}
			v.Snapshots++
		}
		v.Batches++
		progress(sequence, last)
		return nil
	})
	v.Commands, v.StateHash = at.Commands, state.Hash()
	for _, a := range state.accounts {
		v.Accounts = append(v.Accounts, a.view())
	}
	return v, err
}

func snapshotsUpTo(store snapshotStore, last uint64) (map[uint64]bool, error) {
	sequences, err := store.list()
	if err != nil {
		return nil, err
	}
	snapshots := make(map[uint64]bool, len(sequences))
	for _, s := range sequences {
		if s > last {
			return nil, log.Corrupt(s, fmt.Sprintf("a snapshot stands here, but the log ends at %d", last))
		}
		snapshots[s] = true
	}
	return snapshots, nil
}

func compareSnapshot(store snapshotStore, at log.Position, state *State) error {
	snap, err := readSnapshot(store, at.Sequence)
	switch {
	case err != nil:
	case snap.At != at:
		err = errors.New("it was taken of another log")
	case Hash(sha256.Sum256(snap.State)) != state.Hash():
		err = errors.New("it differs from the state that the log leads to")
	}
	if err != nil {
		return log.Corrupt(at.Sequence, "the snapshot does not hold: "+err.Error())
	}
	return nil
}

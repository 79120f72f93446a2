package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
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
// of hashes, every snapshot against the state at its sequence, and the position
// of the projection. It needs the log to itself and changes nothing. Each
// problem it finds names the sequence.
func Verify(ctx context.Context, c Config, progress func(done, total uint64)) (Verification, error) {
	var v Verification
	l, err := openLog(ctx, c.Log)
	if err != nil {
		return v, err
	}
	defer l.close()
	last, err := l.last(ctx)
	if err != nil {
		return v, err
	}
	at, err := readPosition(ctx, c.DB)
	if err != nil {
		return v, err
	}
	if at.sequence > last {
		return v, corrupt(at.sequence, fmt.Sprintf("the projection stands here, but the log ends at %d", last))
	}
	v.Position = at.sequence
	sequences, err := listSnapshots(c.SnapshotDir)
	if err != nil {
		return v, err
	}
	snapshots := make(map[uint64]bool, len(sequences))
	for _, s := range sequences {
		if s > last {
			return v, corrupt(s, fmt.Sprintf("a snapshot stands here, but the log ends at %d", last))
		}
		snapshots[s] = true
	}
	state, chain := NewState(), Hash{}
	err = l.read(ctx, 1, last, func(sequence uint64, payload []byte) error {
		b, err := decodeBatch(payload)
		if err != nil {
			return corrupt(sequence, err.Error())
		}
		if _, chain, err = state.applyPayload(sequence, payload, chain); err != nil {
			return err
		}
		if sequence == at.sequence && chain != at.hash {
			return corrupt(sequence, "the batch is not the one that the projection was written from")
		}
		if snapshots[sequence] {
			if err := compareSnapshot(c.SnapshotDir, sequence, chain, state); err != nil {
				return err
			}
			v.Snapshots++
		}
		v.Batches++
		v.Commands += uint64(len(b.Entries))
		progress(sequence, last)
		return nil
	})
	v.StateHash = state.Hash()
	for _, a := range state.accounts {
		v.Accounts = append(v.Accounts, a.view())
	}
	return v, err
}

func compareSnapshot(dir string, sequence uint64, chain Hash, state *State) error {
	snap, err := readSnapshot(dir, sequence)
	if err == nil && snap.Chain != chain {
		err = errors.New("it was taken of another log")
	}
	if err == nil && Hash(sha256.Sum256(snap.State)) != state.Hash() {
		err = errors.New("it differs from the state that the log leads to")
	}
	if err != nil {
		return corrupt(sequence, "the snapshot does not hold: "+err.Error())
	}
	return nil
}

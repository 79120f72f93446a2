package exchange

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/corehour/corehour/exchange/log"
)

// A snapshot file is the state's image at a sequence of the log, so that a start
// need not read the log from its beginning. It is an accelerator, never a truth:
// one that does not verify is passed over for an older one or for the log.
type snapshot struct {
	Version uint8        `cbor:"1,keyasint"`
	At      log.Position `cbor:"2,keyasint"`
	State   []byte       `cbor:"3,keyasint"`
}

const (
	snapshotVersion = 2
	snapshotSuffix  = ".snapshot"
	snapshotsKept   = 3
)

// snapshotStore keeps snapshots under their sequences.
type snapshotStore interface {
	// list gives the sequences, newest first.
	list() ([]uint64, error)
	read(sequence uint64) ([]byte, error)
	// write keeps a snapshot whole or not at all, durably.
	write(sequence uint64, content []byte) error
	remove(sequence uint64) error
}

// writeSnapshot writes a snapshot, then removes all but the newest ones.
func writeSnapshot(store snapshotStore, snap snapshot) error {
	body := marshal(&snap)
	sum := sha256.Sum256(body)
	if err := store.write(snap.At.Sequence, append(sum[:], body...)); err != nil {
		return err
	}
	sequences, err := store.list()
	if err != nil {
		return err
	}
	for _, old := range sequences[min(snapshotsKept, len(sequences)):] {
		if err := store.remove(old); err != nil {
			return err
		}
	}
	return nil
}

// readSnapshot reads a snapshot and checks its sum; what it says about the log is
// for the caller to check.
func readSnapshot(store snapshotStore, sequence uint64) (snapshot, error) {
	var snap snapshot
	content, err := store.read(sequence)
	if err != nil {
		return snap, err
	}
	if len(content) < sha256.Size || sha256.Sum256(content[sha256.Size:]) != Hash(content[:sha256.Size]) {
		return snap, errors.New("its checksum does not hold")
	}
	if err := unmarshal(content[sha256.Size:], &snap); err != nil {
		return snap, err
	}
	if snap.Version != snapshotVersion || snap.At.Sequence != sequence {
		return snap, fmt.Errorf("it has version %d of sequence %d", snap.Version, snap.At.Sequence)
	}
	return snap, nil
}

// snapshotDir keeps each snapshot in a file.
type snapshotDir string

func (dir snapshotDir) path(sequence uint64) string {
	return filepath.Join(string(dir), fmt.Sprintf("%020d%s", sequence, snapshotSuffix))
}

func (dir snapshotDir) read(sequence uint64) ([]byte, error) { return os.ReadFile(dir.path(sequence)) }

func (dir snapshotDir) remove(sequence uint64) error {
	if err := os.Remove(dir.path(sequence)); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return dir.sync()
}

func (dir snapshotDir) write(sequence uint64, content []byte) error {
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	f, err := os.CreateTemp(string(dir), "writing-*")
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where the rename succeeded
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := os.Rename(f.Name(), dir.path(sequence)); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return dir.sync()
}

func (dir snapshotDir) sync() error {
	d, err := os.Open(string(dir))
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func (dir snapshotDir) list() ([]uint64, error) {
	entries, err := os.ReadDir(string(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	var sequences []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), snapshotSuffix)
		n, err := strconv.ParseUint(digits, 10, 64)
		if ok && err == nil {
			sequences = append(sequences, n)
		}
	}
	slices.Sort(sequences)
	slices.Reverse(sequences)
	return sequences, nil
}

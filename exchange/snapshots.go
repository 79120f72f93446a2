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

// writeSnapshot writes a file whole or not at all, then removes all but the
// newest ones.
func writeSnapshot(dir string, snap snapshot) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	body := marshal(&snap)
	sum := sha256.Sum256(body)
	f, err := os.CreateTemp(dir, "writing-*")
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where the rename succeeded
	_, err = f.Write(append(sum[:], body...))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := os.Rename(f.Name(), snapshotPath(dir, snap.At.Sequence)); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	sequences, err := listSnapshots(dir)
	if err != nil {
		return err
	}
	for _, old := range sequences[min(snapshotsKept, len(sequences)):] {
		if err := os.Remove(snapshotPath(dir, old)); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func snapshotPath(dir string, sequence uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", sequence, snapshotSuffix))
}

// listSnapshots gives the sequences of the snapshot files, newest first.
func listSnapshots(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
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

// readSnapshot reads a file and checks its sum; what it says about the log is
// for the caller to check.
func readSnapshot(dir string, sequence uint64) (snapshot, error) {
	var snap snapshot
	file, err := os.ReadFile(snapshotPath(dir, sequence))
	if err != nil {
		return snap, err
	}
	if len(file) < sha256.Size || sha256.Sum256(file[sha256.Size:]) != Hash(file[:sha256.Size]) {
		return snap, errors.New("its checksum does not hold")
	}
	if err := unmarshal(file[sha256.Size:], &snap); err != nil {
		return snap, err
	}
	if snap.Version != snapshotVersion || snap.At.Sequence != sequence {
		return snap, fmt.Errorf("it has version %d of sequence %d", snap.Version, snap.At.Sequence)
	}
	return snap, nil
}

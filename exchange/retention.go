package exchange

import (
	"context"
	"fmt"

	"github.com/corehour/corehour/exchange/log"
)

// Retention says what becomes of the log's old batches, once snapshots stand for
// them. The zero value keeps all of them.
type Retention struct {
	// Archive is a directory to which they are moved.
	Archive string
	// Drop removes them without an archive.
	Drop bool
}

func (r *Retention) keepsAll() bool { return r.Archive == "" && !r.Drop }

// oldLog is the log as far as old batches are moved out of it.
type oldLog interface {
	log.Exporter
	Purge(ctx context.Context, before uint64) error
}

// retire moves out of the log what the oldest snapshot that is kept stands for.
// With fewer snapshots than are usually kept it waits, so that a bad one never
// costs more than a longer start.
func (x *Exchange) retire(ctx context.Context) error {
	old, ok := x.disk.log.(oldLog)
	if x.cfg.Retention.keepsAll() || !ok {
		return nil
	}
	snapshots, err := x.disk.snapshots.list()
	if err != nil || len(snapshots) < snapshotsKept {
		return err
	}
	upTo := snapshots[len(snapshots)-1]
	first, _, err := x.disk.log.Bounds(ctx)
	if err != nil || upTo < first {
		return err
	}
	if dir := x.cfg.Retention.Archive; dir != "" {
		if err := log.OpenArchive(dir).Add(ctx, old, first, upTo); err != nil {
			return err
		}
	}
	if err := old.Purge(ctx, upTo+1); err != nil {
		return fmt.Errorf("after archiving up to %d: %w", upTo, err)
	}
	x.cfg.Logger.Info("old batches left the log", "from", first, "to", upTo, "archive", x.cfg.Retention.Archive)
	return nil
}

// readAll yields the log from its first batch on, the archived ones first.
func readAll(ctx context.Context, l commandLog, archive string, first, last uint64, each func(sequence uint64, payload []byte) error) error {
	if first > 1 {
		if err := log.OpenArchive(archive).Read(1, first-1, each); err != nil {
			return err
		}
	}
	return l.Read(ctx, first, last, each)
}

package exchange

import (
	"context"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// A start reads the log from a snapshot on. What is before that is read afterwards,
// while the node works: a log that was altered there ends the node as one that was
// altered anywhere else does.

// scrubBatches is how much is read at a time, and scrubRest how many times as long
// as that took the node rests then.
const (
	scrubBatches = 1024
	scrubRest    = 4
)

// scrub checks the chain of the log up to the batch that the node's snapshot was
// taken at.
func (x *Exchange) scrub(ctx context.Context, snapshot log.Position) {
	if snapshot.Sequence == 0 {
		return
	}
	at, err := x.scrubFrom(ctx)
	for err == nil && at.Sequence < snapshot.Sequence && !x.closing() {
		began := time.Now()
		at, err = x.scrubSome(ctx, at, min(at.Sequence+scrubBatches, snapshot.Sequence))
		if err != nil {
			if first, _, bounds := x.disk.log.Bounds(ctx); bounds == nil && first > at.Sequence+1 {
				at, err = x.scrubFrom(ctx) // old batches have just left the log
			}
		}
		if err == nil && !sleepUnless(x.draining, scrubRest*time.Since(began)) {
			return
		}
	}
	switch {
	case err == nil && at.Sequence == snapshot.Sequence && at != snapshot:
		x.fail(log.Corrupt(at.Sequence, "the batch is not the one that the snapshot was taken at"))
	case corehour.CodeOf(err) == CodeCorrupt:
		x.fail(err)
	case err != nil && ctx.Err() == nil:
		x.cfg.Logger.Warn("the log before the snapshot was not checked to its end", "sequence", at.Sequence, "error", err)
	}
}

// scrubFrom is the position before the first batch that the log still holds, as
// that batch says.
func (x *Exchange) scrubFrom(ctx context.Context) (log.Position, error) {
	first, last, err := x.disk.log.Bounds(ctx)
	if err != nil || first == 1 || first > last {
		return log.Position{Sequence: first - 1}, err
	}
	payload, err := x.disk.log.At(ctx, first)
	if err != nil {
		return log.Position{}, err
	}
	b, err := log.Decode(payload)
	if err != nil {
		return log.Position{}, log.Corrupt(first, err.Error())
	}
	return b.Follows(first), nil
}

func (x *Exchange) scrubSome(ctx context.Context, at log.Position, to uint64) (log.Position, error) {
	err := x.disk.log.Read(ctx, at.Sequence+1, to, func(sequence uint64, payload []byte) (err error) {
		_, at, err = x.chain(at, sequence, payload)
		return err
	})
	return at, err
}

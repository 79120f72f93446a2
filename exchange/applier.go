package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// markLoop is the second stage: before anything of this node is answered, its
// mark names it. Batches that have gathered share a write.
func (x *Exchange) markLoop() {
	defer close(x.toApply)
	for first := range x.toMark {
		x.markNext(first)
	}
}

func (x *Exchange) markNext(first appended) {
	batches := gathered(first, x.toMark)
	if err := x.markAll(batches); err != nil {
		x.fail(err)
	}
	for _, b := range batches {
		x.toApply <- b
	}
}

// gathered is a batch and what else has come by now.
func gathered(first appended, more <-chan appended) []appended {
	batches := []appended{first}
	for len(batches) < stagedBatches {
		select {
		case b, ok := <-more:
			if !ok {
				return batches
			}
			batches = append(batches, b)
		default:
			return batches
		}
	}
	return batches
}

func (x *Exchange) markAll(batches []appended) error {
	if err := x.failure(); err != nil {
		return err
	}
	for i := len(batches) - 1; i >= 0; i-- {
		if len(batches[i].pending) == 0 {
			continue
		}
		if err := x.disk.mark.Set(batches[i].at); err != nil {
			return &corehour.Error{
				Kind: corehour.KindUnavailable, Code: log.CodeFailed, Message: "what was acknowledged cannot be noted", Err: err,
			}
		}
		return nil
	}
	return nil
}

// applyLoop is the third stage: it applies what is in the log, answers, and hands
// the events to the projector.
func (x *Exchange) applyLoop() {
	defer x.projector.finish()
	snapshotAt := x.at.Commands
	for next := range x.toApply {
		x.applyNext(next)
		if x.at.Commands-snapshotAt >= x.cfg.SnapshotEvery {
			snapshotAt = x.at.Commands
			wake(x.snapshotDue)
		}
	}
}

// applyNext applies a batch, hands its events on and answers its commands.
func (x *Exchange) applyNext(next appended) {
	if err := x.failure(); err != nil {
		answerAll(next.pending, err)
		return
	}
	outcomes, events, err := x.applyBatch(&next)
	if err != nil {
		x.fail(err)
		answerAll(next.pending, err)
		return
	}
	x.projector.feed(projection{at: next.at, events: events})
	for i, p := range next.pending {
		p.answer(outcomes[i])
	}
}

func (x *Exchange) applyBatch(next *appended) (outcomes []outcome, events []pendingEvent, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if next.pending == nil {
		if events, err = x.state.applyEntries(next.entries); err != nil {
			return nil, nil, log.Corrupt(next.at.Sequence, err.Error())
		}
	}
	outcomes = make([]outcome, len(next.pending))
	for i, p := range next.pending {
		if p.cmd != nil {
			outcomes[i].reply = x.state.apply(p.entry.At, p.cmd, p.entry.Body)
			events = append(events, x.state.events...)
		}
	}
	x.at = next.at
	x.applied.Store(next.at.Sequence)
	return outcomes, events, nil
}

// applyEntries applies commands as they stand in the log.
func (s *State) applyEntries(entries []log.Entry) ([]pendingEvent, error) {
	var events []pendingEvent
	for _, e := range entries {
		cmd, err := decodeCommand(Kind(e.Kind), e.Body)
		if err != nil {
			return nil, err
		}
		s.apply(e.At, cmd, e.Body)
		events = append(events, s.events...)
	}
	return events, nil
}

// snapshot writes the state as of the newest applied batch. Only Close calls it,
// after all stages have ended.
func (x *Exchange) snapshot() error {
	return writeSnapshot(x.disk.snapshots, snapshot{Version: snapshotVersion, At: x.at, State: x.state.encode()})
}

// tickLoop lets time pass where nobody sends a command.
func (x *Exchange) tickLoop(ctx context.Context) {
	ticker := time.NewTicker(x.cfg.TickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-x.draining:
			return
		}
		x.mu.RLock()
		next, some := x.state.NextDeadline()
		x.mu.RUnlock()
		if !some || next > corehour.InstantOf(x.cfg.Clock.Now()) {
			continue
		}
		if _, err := x.Submit(ctx, Tick{}); err != nil && !errors.Is(err, errStopping) {
			x.cfg.Logger.Warn("time could not pass", "error", err)
		}
	}
}

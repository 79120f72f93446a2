package exchange

import (
	"context"
	"time"
)

// turns lets questions read the state one after the other. After each the market
// has as long to itself as the question took: however many are asked, and however
// long they take, they have no more than half of the time, and a command waits for
// one of them at most.
type turns struct {
	free chan time.Time // holds when the next may begin, while nobody has the turn
}

func newTurns() turns {
	t := turns{free: make(chan time.Time, 1)}
	t.free <- time.Time{}
	return t
}

// take waits for a turn.
func (t turns) take(ctx context.Context) error {
	var begin time.Time
	select {
	case begin = <-t.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	pause := time.Until(begin)
	if pause <= 0 {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		t.free <- begin
		return ctx.Err()
	}
}

// give ends a turn that took so long.
func (t turns) give(took time.Duration) { t.free <- time.Now().Add(took) }

package exchange

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns_LeaveHalfOfTheTime: questions that take a second each and are asked
// all at once have one second in two.
func TestTurns_LeaveHalfOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, began := newTurns(), time.Now()
		var asked sync.WaitGroup
		var mu sync.Mutex
		for range 10 {
			asked.Go(func() {
				if err := turns.take(t.Context()); err != nil {
					t.Error(err)
					return
				}
				if !mu.TryLock() {
					t.Error("two questions have a turn")
				}
				time.Sleep(time.Second)
				mu.Unlock()
				turns.give(time.Second)
			})
		}
		asked.Wait()
		if took := time.Since(began); took != 19*time.Second {
			t.Errorf("ten questions of a second were asked within %v, want 19s", took)
		}
	})
}

func TestTurns_WhoGivesUpLeavesTheTurnToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		if err := turns.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := turns.take(wait); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second turn was given: %v", err)
		}
		turns.give(time.Minute)
		wait, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := turns.take(wait); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the market had no time to itself: %v", err)
		}
		if err := turns.take(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

package bus_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func TestAppend_NumbersWithoutGapsAlsoAfterARollback(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		b := newBus(t, bus.Config{DB: db})
		if last, err := b.LastSequence(t.Context(), exchange); err != nil || last != 0 {
			t.Fatalf("an empty feed ends at %d, %v", last, err)
		}
		appendEvents(t, db, b, exchange, 3)
		undone := errors.New("undone")
		err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if err := bus.Append(ctx, tx, exchange, make([]corehour.Event, 5)); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		appendEvents(t, db, b, corehour.ProducerMetering, 2)
		if last := appendEvents(t, db, b, exchange, 2); last != 5 {
			t.Errorf("the feed ends at %d, want 5", last)
		}
		events, err := bus.Read(t.Context(), db.Reader(), exchange, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) != 3 || events[0].ID() != "exchange/2" || events[2].ID() != "exchange/4" {
			t.Errorf("Read after 1, 3 at most: %v", events)
		}
		if last, err := b.LastSequence(t.Context(), exchange); err != nil || last != 5 {
			t.Errorf("LastSequence is %d, %v", last, err)
		}
	})
}

// Whoever reads event n has seen all before it: transactions of one producer
// commit in the order of their numbers.
func TestAppend_ConcurrentWritersLeaveNoGapForAReader(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		newBus(t, bus.Config{DB: db})
		const writers, each = 4, 40
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
						events := []corehour.Event{{Type: "a.b.c.v1", Data: []byte("{}")}, {Type: "a.b.c.v1", Data: []byte("{}")}}
						return bus.Append(ctx, tx, exchange, events)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		next := int64(1)
		for next <= 2*writers*each {
			events, err := bus.Read(t.Context(), db.Reader(), exchange, next-1, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Sequence != next {
					t.Fatalf("event %d was visible before %d", e.Sequence, next)
				}
				next++
			}
		}
		wg.Wait()
	})
}

func TestNewEvent_RefusesWhatIsNotJSON(t *testing.T) {
	if _, err := corehour.NewEvent("a.b.c.v1", 0, "x", make(chan int)); err == nil {
		t.Error("a channel became JSON")
	}
}

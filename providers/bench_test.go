package providers

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/testenv"
)

// BenchmarkTake takes the feed of a replay in full batches: per lease a match,
// an acceptance, a start, an end and a settlement, each some batches after the
// one before, among as many events of other kinds.
func BenchmarkTake(b *testing.B) {
	s, err := New(Config{DB: testenv.SQLite(b), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	event := func(typ corehour.EventType, data any) corehour.Event {
		e, err := corehour.NewEvent(typ, 1, "", data)
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	const perBatch = corehour.MaxFeedEvents / 10
	sequence, taken := int64(0), 0
	consumer := s.Consumer()
	for batch := 0; b.Loop(); batch++ {
		var events []corehour.Event
		for n := range perBatch {
			id := batch*perBatch + n + 1
			changed := func(back int) corehour.LeaseID { return corehour.LeaseID(id - back*perBatch) }
			events = append(events, event(corehour.EventLeaseMatched, corehour.LeaseMatched{Lease: leaseOf(id, "north")}))
			for back, typ := range []corehour.EventType{corehour.EventLeaseAccepted, corehour.EventLeaseStarted} {
				if batch > back {
					events = append(events, event(typ, corehour.LeaseChanged{Lease: changed(back + 1)}))
				}
			}
			if batch > 3 {
				events = append(events,
					event(corehour.EventLeaseEnded, corehour.LeaseEnded{Lease: changed(3), Status: corehour.StatusCompleted}),
					event(corehour.EventLeaseSettled, corehour.LeaseSettled{Lease: changed(4)}))
			}
			for range 5 {
				events = append(events, event(corehour.EventBidPlaced, corehour.BidPlaced{}))
			}
		}
		for i := range events {
			sequence++
			events[i].Sequence = sequence
		}
		taken += len(events)
		err := s.db.Write(b.Context(), func(ctx context.Context, tx *sql.Tx) error { return consumer.Take(ctx, tx, events) })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(taken)/b.Elapsed().Seconds(), "events/s")
}

package exchange

import (
	"context"
	"log/slog"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// projectedBatches is a chain of batches with an event each.
func projectedBatches(n int) (batches []projection) {
	at := log.Position{}
	for range n {
		_, at = at.Encode("test", nil)
		batches = append(batches, projection{at: at, events: []pendingEvent{{typ: corehour.EventFeeSet, subject: "fee", data: corehour.FeeSet{}}}})
	}
	return batches
}

func simProjector(store projectionStore) *projector {
	return newProjector(&Config{Logger: slog.New(slog.DiscardHandler), Projected: func([]corehour.Event) {}}, store, log.Position{})
}

// A node whose projection is written by another one may learn that it stands at a
// batch that the node has not applied yet. What it applies later is written, and
// must not be written again when that other node has stopped.
func TestProjector_DoesNotWriteAgainWhatAnotherNodeHasWrittenBeforeItWasApplied(t *testing.T) {
	ctx, tables, batches := context.Background(), newSimTables(), projectedBatches(4)
	ahead, behind := simProjector(tables), simProjector(tables)
	for _, b := range batches[:3] {
		ahead.feed(b)
	}
	if wrote, err := ahead.attempt(ctx, batches[:3]); !wrote || err != nil {
		t.Fatal(wrote, err)
	}
	behind.feed(batches[0])
	if wrote, err := behind.attempt(ctx, batches[:1]); wrote || err != nil {
		t.Fatal(wrote, err)
	}
	for _, b := range batches[1:] {
		behind.feed(b)
	}
	left, _ := behind.gathered()
	if len(left) != 1 || left[0].at != batches[3].at {
		t.Fatalf("it would write %d batches, want the last one alone", len(left))
	}
	if wrote, err := behind.attempt(ctx, left); !wrote || err != nil {
		t.Fatal(wrote, err)
	}
	if tables.at != batches[3].at || len(tables.outbox) != 4 {
		t.Fatalf("the projection stands at %d with %d events", tables.at.Sequence, len(tables.outbox))
	}
}

func TestProjector_StopsWhereTheProjectionWasWrittenFromAnotherLog(t *testing.T) {
	batches := projectedBatches(2)
	p := simProjector(newSimTables())
	p.advance(log.Position{Sequence: 2, Hash: log.HashOf([]byte("another"))})
	p.feed(batches[0])
	if err := p.failure(); err != nil {
		t.Fatal(err)
	}
	p.feed(batches[1])
	if err := p.failure(); corehour.CodeOf(err) != CodeCorrupt {
		t.Fatalf("goes on with %v", err)
	}
}

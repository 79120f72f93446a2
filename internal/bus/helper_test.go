package bus_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

const exchange = corehour.ProducerExchange

// newBus makes a bus whose tables exist.
func newBus(t testing.TB, c bus.Config) *bus.Bus {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	b, err := bus.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs a bus and returns the function that stops it; the test's end does too.
func run(t testing.TB, b *bus.Bus) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run does not end with its context")
		}
	}
	t.Cleanup(stop)
	return stop
}

// createSeen makes the table of what the tests' consumers saw. Its key refuses
// an event that is taken twice.
func createSeen(t testing.TB, db *database.DB) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE seen (consumer TEXT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (consumer, sequence))`)
		return err
	})
}

func write(t testing.TB, db *database.DB, fn func(ctx context.Context, tx *sql.Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// takeSeen writes what it takes to seen.
func takeSeen(consumer string) func(context.Context, *sql.Tx, []corehour.Event) error {
	return func(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
		rows := make([][]any, len(events))
		for i, e := range events {
			rows[i] = []any{consumer, e.Sequence}
		}
		return database.Insert(ctx, tx, "seen", []string{"consumer", "sequence"}, rows, "")
	}
}

// appendEvents appends n events in one transaction and returns the last number.
func appendEvents(t testing.TB, db *database.DB, b *bus.Bus, producer corehour.Producer, n int) int64 {
	t.Helper()
	var last int64
	write(t, db, func(ctx context.Context, tx *sql.Tx) error {
		events := make([]corehour.Event, n)
		for i := range events {
			e, err := corehour.NewEvent("exchange.test.happened.v1", corehour.Instant(i), fmt.Sprint("thing-", i),
				map[string]any{"lease": "lease-17", "units": 8, "price": "0.031", "start": "2024-01-01T00:00Z", "consumer": "acme <&>"})
			if err != nil {
				return err
			}
			events[i] = e
		}
		err := bus.Append(ctx, tx, producer, events)
		last = events[n-1].Sequence
		return err
	})
	b.Committed(producer)
	return last
}

func waitFor(t testing.TB, b *bus.Bus, consumer string, producer corehour.Producer, sequence int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := b.WaitFor(ctx, consumer, producer, sequence); err != nil {
		t.Fatal(err)
	}
}

// seen is what a consumer took, in order.
func seen(t testing.TB, db *database.DB, consumer string) []int64 {
	t.Helper()
	rows, err := db.Reader().QueryContext(t.Context(), `SELECT sequence FROM seen WHERE consumer = $1 ORDER BY sequence`, consumer)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []int64
	for rows.Next() {
		var s int64
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// wantSeen checks that a consumer took exactly the events 1 to last.
func wantSeen(t testing.TB, db *database.DB, consumer string, last int64) {
	t.Helper()
	got := seen(t, db, consumer)
	want := make([]int64, last)
	for i := range want {
		want[i] = int64(i) + 1
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s took %d events, want 1 to %d once each: %v...", consumer, len(got), last, got[:min(10, len(got))])
	}
}

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) contains(s string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.text.String(), s)
}

func (b *lockedBuffer) waitFor(t testing.TB, s string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !b.contains(s) {
		if time.Now().After(deadline) {
			t.Fatalf("the log never says %q", s)
		}
		time.Sleep(time.Millisecond)
	}
}

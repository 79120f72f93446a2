package exchange

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// simSQL is the projection in a real SQLite, written by production code.
type simSQL struct {
	sqlStore
	t *testing.T
}

func newSimSQL(t *testing.T) simSQL {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{Path: filepath.Join(t.TempDir(), "simulated.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	feeds, err := bus.New(bus.Config{DB: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := feeds.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return simSQL{sqlStore{db}, t}
}

func (q simSQL) last() (n int64) {
	err := q.db.Reader().QueryRowContext(context.Background(), `SELECT COALESCE(MAX(sequence), 0) FROM outbox`).Scan(&n)
	if err != nil {
		q.t.Fatal(err)
	}
	return n
}

func (q simSQL) read(after int64, limit int) []corehour.Event {
	events, err := bus.Read(context.Background(), q.db.Reader(), corehour.ProducerExchange, after, limit)
	if err != nil {
		q.t.Fatal(err)
	}
	return events
}

func (q simSQL) tables() (text []string) {
	for _, table := range [...]struct {
		name    string
		columns []string
	}{{"exchange_offers", offerColumns}, {"exchange_bids", bidColumns}, {"exchange_leases", leaseColumns}} {
		rows, err := q.db.Reader().QueryContext(context.Background(), "SELECT "+strings.Join(table.columns, ", ")+" FROM "+table.name+" ORDER BY id")
		if err != nil {
			q.t.Fatal(err)
		}
		text = append(text, q.lines(table.name, len(table.columns), rows)...)
	}
	return text
}

func (q simSQL) lines(table string, columns int, rows *sql.Rows) (text []string) {
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	for rows.Next() {
		values, into := make([]any, columns), make([]any, columns)
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			q.t.Fatal(err)
		}
		text = append(text, fmt.Sprintln(table, values))
	}
	if err := rows.Err(); err != nil {
		q.t.Fatal(err)
	}
	return text
}

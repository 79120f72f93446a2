package bus

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

var outboxColumns = []string{"producer", "sequence", "type", "at", "subject", "data"}

// Append gives events the producer's next sequence numbers, fills these in, and
// writes the events to the outbox inside tx. Data must already be JSON.
//
// The producer's row in feeds stays locked until tx ends, so transactions of one
// producer commit in the order of their numbers: whoever reads event n has seen
// all before it. Call Committed after the commit, with the events or without.
func Append(ctx context.Context, tx *sql.Tx, producer corehour.Producer, events []corehour.Event) error {
	if len(events) == 0 {
		return nil
	}
	var last int64
	err := tx.QueryRowContext(ctx,
		`INSERT INTO feeds (producer, last_sequence) VALUES ($1, $2)
		 ON CONFLICT (producer) DO UPDATE SET last_sequence = feeds.last_sequence + excluded.last_sequence
		 RETURNING last_sequence`, string(producer), int64(len(events))).Scan(&last)
	if err != nil {
		return fmt.Errorf("bus: number events of %s: %w", producer, err)
	}
	rows := make([][]any, len(events))
	values := make([]any, len(events)*len(outboxColumns))
	first := last - int64(len(events)) + 1
	for i := range events {
		e := &events[i]
		e.Producer, e.Sequence = producer, first+int64(i)
		row := values[i*len(outboxColumns) : (i+1)*len(outboxColumns)]
		row[0], row[1], row[2] = string(producer), e.Sequence, string(e.Type)
		row[3], row[4], row[5] = int64(e.Time), e.Subject, string(e.Data)
		rows[i] = row
	}
	if err := database.Insert(ctx, tx, "outbox", outboxColumns, rows, ""); err != nil {
		return fmt.Errorf("bus: append events of %s: %w", producer, err)
	}
	return nil
}

// Querier reads: a database's Reader or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Read returns up to limit events of a producer that follow a sequence number, in order.
func Read(ctx context.Context, q Querier, producer corehour.Producer, after int64, limit int) ([]corehour.Event, error) {
	rows, err := q.QueryContext(ctx,
		`SELECT sequence, type, at, subject, data FROM outbox
		 WHERE producer = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`, string(producer), after, limit)
	if err != nil {
		return nil, fmt.Errorf("bus: read events of %s: %w", producer, err)
	}
	defer rows.Close()
	var events []corehour.Event
	for rows.Next() {
		e := corehour.Event{Producer: producer}
		var data string
		if err := rows.Scan(&e.Sequence, (*string)(&e.Type), (*int64)(&e.Time), &e.Subject, &data); err != nil {
			return nil, fmt.Errorf("bus: read events of %s: %w", producer, err)
		}
		e.Data = json.RawMessage(data)
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("bus: read events of %s: %w", producer, err)
	}
	return events, nil
}

// rowQuerier reads one row: a database's Reader or a transaction.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// lastSequence is the number of the producer's newest event, 0 if it has none.
func lastSequence(ctx context.Context, q rowQuerier, producer corehour.Producer) (int64, error) {
	return number(ctx, q, `SELECT last_sequence FROM feeds WHERE producer = $1`, string(producer))
}

// Position is the last event of the producer that the consumer has taken, 0 if none.
func Position(ctx context.Context, q rowQuerier, consumer string, producer corehour.Producer) (int64, error) {
	return number(ctx, q, `SELECT sequence FROM positions WHERE consumer = $1 AND producer = $2`, consumer, string(producer))
}

func number(ctx context.Context, q rowQuerier, query string, args ...any) (int64, error) {
	var n int64
	err := q.QueryRowContext(ctx, query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("bus: %w", err)
	}
	return n, nil
}

// moveTo records that a consumer has taken a producer's events up to a number,
// if it stood where the caller believes. It is the first statement of the
// transaction of a Take: PostgreSQL locks the row, so a second node waits here,
// then finds that the position has moved and does nothing.
func moveTo(ctx context.Context, tx *sql.Tx, consumer string, producer corehour.Producer, from, to int64) (bool, error) {
	query := `UPDATE positions SET sequence = $1 WHERE consumer = $2 AND producer = $3 AND sequence = $4`
	args := []any{to, consumer, string(producer), from}
	if from == 0 {
		query = `INSERT INTO positions (consumer, producer, sequence) VALUES ($1, $2, $3) ON CONFLICT (consumer, producer) DO NOTHING`
		args = []any{consumer, string(producer), to}
	}
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("bus: record position: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("bus: record position: %w", err)
	}
	return n == 1, nil
}

package billing

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/corehour/corehour"
)

// querier reads: the reader's pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// snapshot runs reads that all see the same state of the database: PostgreSQL by
// the isolation, SQLite because a transaction of a reader is a snapshot anyway.
func (s *Service) snapshot(ctx context.Context, fn func(ctx context.Context, q querier) error) error {
	tx, err := s.db.Reader().BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() {
		// Nothing was written; the end of the transaction is all that matters.
		_ = tx.Rollback()
	}()
	return fn(ctx, tx)
}

// pageSize checks the size of a page; 0 is the largest.
func pageSize(limit int) (int, error) {
	if limit < 0 || limit > MaxPage {
		return 0, corehour.Invalid("limit", "a page has 1 to %d entries", MaxPage)
	}
	if limit == 0 {
		return MaxPage, nil
	}
	return limit, nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

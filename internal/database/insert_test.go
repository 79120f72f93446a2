package database_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func TestInsert_WritesEveryRowWhateverTheirNumber(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		id := int64(0)
		for _, n := range []int{0, 1, 2, 31, 32, 33, 100, 3000} {
			rows := make([][]any, n)
			for i := range rows {
				id++
				// Named types and NULL, as the stores have them.
				rows[i] = []any{corehour.Instant(id), corehour.OrgID(fmt.Sprint("thing ", id)), nil}
			}
			err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				return database.Insert(ctx, tx, "things", []string{"id", "name", "n"}, rows, "")
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var count, sum, right int64
		err := db.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*), CAST(SUM(id) AS BIGINT),
			CAST(SUM(CASE WHEN name = 'thing ' || CAST(id AS TEXT) AND n IS NULL THEN 1 ELSE 0 END) AS BIGINT) FROM things`).Scan(&count, &sum, &right)
		if err != nil {
			t.Fatal(err)
		}
		if count != id || sum != id*(id+1)/2 || right != id {
			t.Errorf("%d rows with the sum %d, %d of them right; want %d", count, sum, right, id)
		}
	})
}

func TestInsert_SuffixDecidesConflicts(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		insert := func(name, suffix string, n int64) error {
			rows := [][]any{}
			for id := range n {
				rows = append(rows, []any{id, name})
			}
			return db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				return database.Insert(ctx, tx, "things", []string{"id", "name"}, rows, suffix)
			})
		}
		count := func(name string) (n int64) {
			if err := db.Reader().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM things WHERE name = $1", name).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := insert("first", "", 50); err != nil {
			t.Fatal(err)
		}
		if err := insert("refused", "", 100); err == nil {
			t.Error("a repeated key was accepted")
		}
		if err := insert("ignored", "ON CONFLICT (id) DO NOTHING", 60); err != nil {
			t.Fatal(err)
		}
		if err := insert("updated", "ON CONFLICT (id) DO UPDATE SET name = excluded.name", 10); err != nil {
			t.Fatal(err)
		}
		if count("first") != 40 || count("refused") != 0 || count("ignored") != 10 || count("updated") != 10 {
			t.Errorf("%d, %d, %d, %d", count("first"), count("refused"), count("ignored"), count("updated"))
		}
	})
}

// A transaction that did not come from Write, or a context that did not: slower,
// but right.
func TestInsert_WorksWithAnyContext(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		rows := [][]any{}
		for id := range int64(100) {
			rows = append(rows, []any{id, "x"})
		}
		err := db.Write(t.Context(), func(_ context.Context, tx *sql.Tx) error {
			return database.Insert(t.Context(), tx, "things", []string{"id", "name"}, rows, "")
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := countThings(t, db); n != 100 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestInsert_RowOfAnotherLengthIsAProgrammingError(t *testing.T) {
	db := testenv.SQLite(t)
	createThings(t, db)
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	_ = db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return database.Insert(ctx, tx, "things", []string{"id", "name"}, [][]any{{1, "x"}, {2}}, "")
	})
}

func BenchmarkInsert(b *testing.B) {
	for _, batch := range []int{8, 512, 4096} {
		b.Run(fmt.Sprintf("sqlite/rows=%d", batch), func(b *testing.B) {
			benchmarkInsert(b, testenv.SQLite(b), batch)
		})
		b.Run(fmt.Sprintf("postgres/rows=%d", batch), func(b *testing.B) {
			benchmarkInsert(b, testenv.Open(b, database.Config{URL: testenv.PostgresURL(b)}), batch)
		})
	}
}

func benchmarkInsert(b *testing.B, db *database.DB, batch int) {
	ctx := b.Context()
	err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE events (producer TEXT NOT NULL, sequence BIGINT NOT NULL, type TEXT NOT NULL,
			at BIGINT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (producer, sequence))`)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	columns := []string{"producer", "sequence", "type", "at", "subject", "data"}
	const data = `{"lease":"lease-17","units":"8","price":"0.031","start":"2024-01-01T00:00Z","end":"2024-01-01T01:00Z","consumer":"acme","provider":"north","carbon_g":"12.5"}`
	sequence := int64(0)
	rows := make([][]any, batch)
	for b.Loop() {
		for i := range rows {
			sequence++
			rows[i] = []any{"exchange", sequence, "exchange.lease.matched.v1", sequence * 1000, "lease-17", data}
		}
		err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return database.Insert(ctx, tx, "events", columns, rows, "ON CONFLICT (producer, sequence) DO NOTHING")
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(sequence)/b.Elapsed().Seconds(), "rows/s")
}

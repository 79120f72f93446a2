package database_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func BenchmarkInsert(b *testing.B) {
	for _, batch := range []int{8, 512, 4096} {
		b.Run(fmt.Sprintf("rows=%d", batch), func(b *testing.B) {
			db := testenv.SQLite(b)
			benchmarkInsert(b, db, batch)
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

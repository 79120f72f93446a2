package database

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Limits of one INSERT statement. SQLite could bind 32766 values and PostgreSQL
// 65535, but the best size is far below (BenchmarkInsert): on SQLite a statement
// costs little, while PostgreSQL pays a round trip for each.
const (
	sqliteInsertValues   = 256
	postgresInsertValues = 4096
	maxInsertColumns     = 999
)

// Insert writes rows with multi-row VALUES statements. Suffix follows the
// values, such as "ON CONFLICT (id) DO NOTHING". Table, columns and suffix come
// from the program, never from a request. It is fastest with the context that
// Write gave.
func Insert(ctx context.Context, tx *sql.Tx, table string, columns []string, rows [][]any, suffix string) error {
	if len(columns) == 0 || len(columns) > maxInsertColumns {
		panic("database: Insert needs between 1 and 999 columns")
	}
	db, _ := ctx.Value(writing{}).(*DB)
	key := insertKey{table: table, columns: strings.Join(columns, ", "), suffix: suffix}
	var args []any
	for start := 0; start < len(rows); {
		key.rows = db.insertRows(len(rows)-start, len(columns))
		part := rows[start : start+key.rows]
		start += key.rows
		if args == nil {
			args = make([]any, 0, len(part)*len(columns))
		}
		args = args[:0]
		for _, row := range part {
			if len(row) != len(columns) {
				panic(fmt.Sprintf("database: Insert into %s: a row has %d values for %d columns", table, len(row), len(columns)))
			}
			args = append(args, row...)
		}
		if _, err := tx.ExecContext(ctx, db.insertText(key, len(columns)), args...); err != nil {
			return fmt.Errorf("database: insert into %s: %w", table, err)
		}
	}
	return nil
}

// insertRows is how many of the rows that are left go into the next statement.
// A nil DB is a transaction whose database is not known; what suits SQLite works
// on both.
func (db *DB) insertRows(left, columns int) int {
	most := max(1, sqliteInsertValues/columns)
	if db != nil && db.dialect == Postgres {
		most = max(1, postgresInsertValues/columns)
	}
	// Only powers of two: every text is prepared once and kept, so there must be
	// few of them.
	n := 1
	for 2*n <= min(left, most) {
		n *= 2
	}
	return n
}

// insertKey is what the text of a statement depends on.
type insertKey struct {
	table, columns, suffix string
	rows                   int
}

// insertTexts keeps the texts of INSERT statements. There are as many as the
// program has tables, times the sizes that insertRows chooses.
type insertTexts struct{ texts sync.Map }

func (db *DB) insertText(key insertKey, columns int) string {
	if db == nil {
		return insertSQL(key, columns, true)
	}
	if text, ok := db.inserts.texts.Load(key); ok {
		return text.(string)
	}
	// SQLite's driver takes $1 for a name and searches it among all values;
	// a bare question mark it finds at once.
	text := insertSQL(key, columns, db.dialect == Postgres)
	db.inserts.texts.Store(key, text)
	return text
}

func insertSQL(key insertKey, columns int, numbered bool) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + key.table + " (" + key.columns + ") VALUES ")
	n := 1
	for i := range key.rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j := range columns {
			if j > 0 {
				b.WriteByte(',')
			}
			if numbered {
				b.WriteString("$" + strconv.Itoa(n))
			} else {
				b.WriteByte('?')
			}
			n++
		}
		b.WriteByte(')')
	}
	if key.suffix != "" {
		b.WriteString(" " + key.suffix)
	}
	return b.String()
}

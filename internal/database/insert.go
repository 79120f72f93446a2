package database

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// maxParameters is how many values one statement binds at most: SQLite's limit,
// which is below PostgreSQL's 65535.
const maxParameters = 32766

// maxInsertRows bounds the rows of one statement.
const maxInsertRows = 128

// Insert writes rows with as few statements as the databases' limits allow.
// Suffix follows the values, such as "ON CONFLICT (id) DO NOTHING". Table,
// columns and suffix come from the program, never from a request.
func Insert(ctx context.Context, tx *sql.Tx, table string, columns []string, rows [][]any, suffix string) error {
	if len(columns) == 0 || len(columns) > maxParameters {
		panic("database: Insert needs between 1 and 32766 columns")
	}
	chunk := min(maxInsertRows, maxParameters/len(columns))
	args := make([]any, 0, min(chunk, len(rows))*len(columns))
	var full *sql.Stmt
	for start := 0; start < len(rows); start += chunk {
		part := rows[start:min(start+chunk, len(rows))]
		args = args[:0]
		for _, row := range part {
			if len(row) != len(columns) {
				panic(fmt.Sprintf("database: Insert into %s: a row has %d values for %d columns", table, len(row), len(columns)))
			}
			args = append(args, row...)
		}
		var err error
		if len(part) == chunk && len(rows) >= 2*chunk {
			if full == nil {
				full, err = tx.PrepareContext(ctx, insertSQL(table, columns, chunk, suffix))
				if err != nil {
					return fmt.Errorf("database: insert into %s: %w", table, err)
				}
				defer full.Close()
			}
			_, err = full.ExecContext(ctx, args...)
		} else {
			_, err = tx.ExecContext(ctx, insertSQL(table, columns, len(part), suffix), args...)
		}
		if err != nil {
			return fmt.Errorf("database: insert into %s: %w", table, err)
		}
	}
	return nil
}

func insertSQL(table string, columns []string, rows int, suffix string) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ")
	n := 1
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j := range columns {
			if j > 0 {
				b.WriteString(", ")
			}
			b.WriteString("$" + strconv.Itoa(n))
			n++
		}
		b.WriteByte(')')
	}
	if suffix != "" {
		b.WriteString(" " + suffix)
	}
	return b.String()
}

// statements will hold what Insert prepares once for the life of the database.
type statements struct {
	mu sync.Mutex
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

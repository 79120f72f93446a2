package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"modernc.org/sqlite"
)

// SQLite parses and plans a statement each time that its text is executed, which
// costs more than most of our statements' work. The connections of this package
// therefore keep what they have prepared, by its text. Callers just execute
// texts: on both databases a text is prepared once per connection (pgx does the
// same for PostgreSQL).

// Limits of what one connection keeps.
const (
	maxStatements     = 256
	maxStatementBytes = 64 << 10
)

// connector opens SQLite connections that keep their statements.
type connector struct {
	driver *sqlite.Driver
	name   string
}

// Connect opens one connection.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.name)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("database: the SQLite driver lacks a method that this package needs"), conn.Close())
	}
	return &keeper{sqliteConn: full, kept: make(map[string]*keptStatement)}, nil
}

// Driver is for database/sql.
func (c *connector) Driver() driver.Driver { return c.driver }

// sqliteConn is what a keeper passes on or builds upon.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is a prepared statement of the driver.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keeper is a connection with its statements. Like every connection of
// database/sql it is used by one goroutine at a time.
type keeper struct {
	sqliteConn
	kept  map[string]*keptStatement
	order []string // in which they were prepared: the oldest goes first
}

type keptStatement struct {
	sqliteStmt
	busy bool // its rows are still being read
}

// ExecContext executes a text by its statement. A statement is short, so it is
// not watched for the end of the context while it runs: the driver would start a
// goroutine for each to do so. A transaction ends with its context all the same.
func (k *keeper) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	s, err := k.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return k.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext queries by the text's statement, unless rows of it are open.
func (k *keeper) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := k.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return k.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &keptRows{Rows: rows, statement: s}, nil
}

type keptRows struct {
	driver.Rows
	statement *keptStatement
}

// Close frees the statement for its next use.
func (r *keptRows) Close() error {
	r.statement.busy = false
	return r.Rows.Close()
}

// statement is the kept statement of a text, nil where the text is not kept (it
// is no plain query, or very long) or its statement is in use.
func (k *keeper) statement(ctx context.Context, query string) (*keptStatement, error) {
	if s, ok := k.kept[query]; ok {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if !keepable(query) {
		return nil, nil
	}
	prepared, err := k.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	stmt, ok := prepared.(sqliteStmt)
	if !ok {
		return nil, errors.Join(errors.New("database: the SQLite driver's statement lacks a method that this package needs"), prepared.Close())
	}
	if err := k.evict(); err != nil {
		return nil, errors.Join(err, stmt.Close())
	}
	s := &keptStatement{sqliteStmt: stmt}
	k.kept[query] = s
	k.order = append(k.order, query)
	return s, nil
}

func keepable(query string) bool {
	if len(query) > maxStatementBytes {
		return false
	}
	query = strings.TrimSpace(query)
	verb := query[:max(0, strings.IndexAny(query, " \t\n"))]
	switch strings.ToUpper(verb) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		return true
	}
	return false
}

// evict makes room for one more statement.
func (k *keeper) evict() error {
	for i, query := range k.order {
		if len(k.kept) < maxStatements {
			return nil
		}
		s := k.kept[query]
		if s.busy {
			continue
		}
		k.order = append(k.order[:i:i], k.order[i+1:]...)
		delete(k.kept, query)
		return s.Close()
	}
	return nil
}

// Close closes the statements and the connection.
func (k *keeper) Close() error {
	var err error
	for _, s := range k.kept {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, k.sqliteConn.Close())
}

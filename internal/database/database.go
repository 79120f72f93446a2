package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/corehour/corehour"
)

// Codes of this package's errors.
const (
	// CodeURL is a DATABASE_URL that is not one of PostgreSQL.
	CodeURL corehour.Code = "database_url_invalid"
	// CodeUnreachable is a server or a file that cannot be opened.
	CodeUnreachable corehour.Code = "database_unreachable"
)

// Dialect is which database stands behind a DB. Queries do not need it; it is
// there for diagnostics and for the few statements of administration.
type Dialect string

// The two databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Config says which database to open. With a URL it is PostgreSQL, else SQLite.
type Config struct {
	URL  string // postgres://user:password@host:port/database?sslmode=...
	Path string // the file of SQLite; its folder is created
}

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	dialect Dialect
	writer  *sql.DB
	reader  *sql.DB
	inserts insertTexts
}

// Open connects and proves that the database answers. Its error is one line
// that names the setting to look at and never shows a password.
func Open(ctx context.Context, c Config) (*DB, error) {
	switch {
	case c.URL != "" && c.Path != "":
		return nil, errors.New("database: both a URL and a path are set")
	case c.URL != "":
		return openPostgres(ctx, c.URL)
	case c.Path != "":
		return openSQLite(ctx, c.Path)
	}
	return nil, errors.New("database: neither a URL nor a path is set")
}

// Dialect is which database this is.
func (db *DB) Dialect() Dialect { return db.dialect }

// Reader is for reads outside of a write transaction. A statement that writes
// fails on it. Reads never wait for a writer.
func (db *DB) Reader() *sql.DB { return db.reader }

// Close closes the connections; transactions that are still open are rolled back.
func (db *DB) Close() error {
	return errors.Join(db.reader.Close(), db.writer.Close())
}

func unreachable(what string, err error) error {
	return &corehour.Error{
		Kind: corehour.KindUnavailable, Code: CodeUnreachable, Op: "database.Open",
		Message: fmt.Sprintf("%s cannot be opened", what), Err: err,
	}
}

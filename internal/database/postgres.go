package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/corehour/corehour"
)

// Limits of the connections to PostgreSQL. Readers have their own, so that a
// slow report never keeps a projector from writing.
const (
	maxPostgresWriters = 12
	maxPostgresReaders = 12
	connectTimeout     = 5 * time.Second
	maxIdleTime        = 5 * time.Minute
)

// PostgreSQL's names for transactions that lost against another one and may be
// run again.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

func openPostgres(ctx context.Context, raw string) (*DB, error) {
	where, err := checkURL(raw)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(raw)
	if err != nil {
		// pgx's own message repeats the URL, so it is not shown.
		return nil, badURL("DATABASE_URL %s is not understood; it looks like postgres://user:password@host:5432/corehour?sslmode=require", where)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "corehour"
	}
	// Every statement that compares or formats time sees the same zone.
	config.RuntimeParams["timezone"] = "UTC"
	readConfig := config.Copy()
	readConfig.RuntimeParams["default_transaction_read_only"] = "on"

	db := &DB{
		dialect: Postgres,
		writer:  pool(config, maxPostgresWriters),
		reader:  pool(readConfig, maxPostgresReaders),
	}
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	for _, p := range []*sql.DB{db.writer, db.reader} {
		if err := p.PingContext(ctx); err != nil {
			closing := db.Close()
			return nil, errors.Join(unreachable("DATABASE_URL "+where, errors.New(oneLine(err))), closing)
		}
	}
	return db, nil
}

func pool(config *pgx.ConnConfig, most int) *sql.DB {
	p := stdlib.OpenDB(*config)
	p.SetMaxOpenConns(most)
	p.SetMaxIdleConns(most)
	p.SetConnMaxIdleTime(maxIdleTime)
	return p
}

// checkURL refuses what is not a URL of PostgreSQL and returns it without its password.
func checkURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return "", badURL("DATABASE_URL is not a URL; it looks like postgres://user:password@host:5432/corehour?sslmode=require")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", badURL("DATABASE_URL begins with %s://; only postgres:// is supported (leave it empty for SQLite)", u.Scheme)
	}
	return u.Redacted(), nil
}

func badURL(format string, args ...any) error {
	return &corehour.Error{
		Kind: corehour.KindInvalid, Code: CodeURL, Field: "DATABASE_URL",
		Message: fmt.Sprintf(format, args...),
	}
}

// oneLine is the gist of a failed connection. pgx joins one line per address it
// tried; the last one, of the last address, tells the reason.
func oneLine(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return fmt.Sprintf("%s (SQLSTATE %s)", server.Message, server.Code)
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// lostRace reports a transaction that PostgreSQL ended in favour of another one.
func lostRace(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) &&
		(server.Code == serializationFailure || server.Code == deadlockDetected)
}

package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxSQLiteReaders bounds the connections that read beside the one that writes.
const maxSQLiteReaders = 8

// The settings of every SQLite connection. synchronous=FULL makes a commit wait
// for the disk, which WAL mode does not do by itself.
var sqlitePragmas = []string{
	"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
}

// What differs: how many KiB of pages a connection keeps (there are many readers,
// and the operating system keeps pages too), and after how many pages of its log
// a writer carries them over to the database file.
var (
	sqliteWriterPragmas = []string{"cache_size(-32768)", "wal_autocheckpoint(4000)"}
	sqliteReaderPragmas = []string{"cache_size(-4096)", "query_only(1)"}
)

func openSQLite(ctx context.Context, path string) (*DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, unreachable("the SQLite file "+path, err)
	}
	if err := os.MkdirAll(filepath.Dir(absolute), 0o750); err != nil {
		return nil, unreachable("the SQLite file "+path, err)
	}
	// The writer opens first: it creates the file and turns on WAL, which a
	// reader that may not write could not do.
	writer := sql.OpenDB(&connector{driver: &sqlite.Driver{}, name: sqliteName(absolute, "immediate", sqliteWriterPragmas)})
	// One writer connection: transactions queue here in memory instead of
	// finding the file locked.
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	var mode string
	if err := writer.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return nil, errors.Join(unreachable("the SQLite file "+path, err), writer.Close())
	}
	if mode != "wal" {
		err := fmt.Errorf("journal mode is %q: the file system does not support WAL", mode)
		return nil, errors.Join(unreachable("the SQLite file "+path, err), writer.Close())
	}
	reader := sql.OpenDB(&connector{driver: &sqlite.Driver{}, name: sqliteName(absolute, "deferred", sqliteReaderPragmas)})
	reader.SetMaxOpenConns(maxSQLiteReaders)
	reader.SetMaxIdleConns(maxSQLiteReaders)
	return &DB{dialect: SQLite, writer: writer, reader: reader}, nil
}

// sqliteName is the driver's data source name. Transactions of the writer begin
// IMMEDIATE, so that one never fails when it turns from reading to writing; a
// reader's begin DEFERRED, which takes no lock.
func sqliteName(path, begin string, more []string) string {
	q := url.Values{"_pragma": slices.Concat(sqlitePragmas, more), "_txlock": {begin}}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}

// busy reports an SQLite lock that another process holds.
func busy(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	primary := e.Code() & 0xff
	return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
}

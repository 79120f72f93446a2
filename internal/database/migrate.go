package database

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

var ownerName = regexp.MustCompile(`^[a-z][a-z_]{0,31}$`)

// Migrate brings one owner's tables up to date. The files are NNNNN_name.sql in
// fsys's root, in goose's notation; which of them have run stands in the table
// goose_<owner>, so owners number their migrations independently. Nodes that
// start at the same time on one PostgreSQL wait for each other.
func (db *DB) Migrate(ctx context.Context, owner string, fsys fs.FS) error {
	if !ownerName.MatchString(owner) {
		panic("database: Migrate: an owner is named in lower case: " + owner)
	}
	dialect := goose.DialectSQLite3
	options := []goose.ProviderOption{
		goose.WithTableName("goose_" + owner),
		goose.WithDisableGlobalRegistry(true),
	}
	if db.dialect == Postgres {
		dialect = goose.DialectPostgres
		// One attempt per second, for a minute.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return fmt.Errorf("database: migrate %s: %w", owner, err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	if db.dialect == SQLite {
		fsys = sqliteFiles{fsys}
	}
	provider, err := goose.NewProvider(dialect, db.writer, fsys, options...)
	if err != nil {
		return fmt.Errorf("database: migrate %s: %w", owner, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("database: migrate %s: %w", owner, err)
	}
	return nil
}

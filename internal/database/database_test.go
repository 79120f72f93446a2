package database_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func TestOpen_SaysInOneLineWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("this is not a database, and long enough to look like one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config database.Config
		kind   corehour.Kind
		want   string
	}{
		{"nothing", database.Config{}, corehour.KindInternal, "neither"},
		{"both", database.Config{URL: "postgres://x", Path: "y"}, corehour.KindInternal, "both"},
		{"another database", database.Config{URL: "mysql://root:secret@host/db"}, corehour.KindInvalid, "mysql://"},
		{"no URL", database.Config{URL: "host=localhost password=secret"}, corehour.KindInvalid, "not a URL"},
		{"bad escape", database.Config{URL: "postgres://u:secret%zz@host/db"}, corehour.KindInvalid, "not a URL"},
		{"bad port", database.Config{URL: "postgres://u:secret@host:99999/db"}, corehour.KindInvalid, "u:xxxxx@host"},
		{"bad setting", database.Config{URL: "postgres://u:secret@host/db?sslmode=sometimes"}, corehour.KindInvalid, "not understood"},
		{"nobody listens", database.Config{URL: "postgres://u:secret@127.0.0.1:1/db?sslmode=disable"}, corehour.KindUnavailable, "connection refused"},
		{"unknown host", database.Config{URL: "postgres://u:secret@nowhere.invalid/db"}, corehour.KindUnavailable, "nowhere.invalid"},
		{"a folder", database.Config{Path: t.TempDir()}, corehour.KindUnavailable, "cannot be opened"},
		{"below a file", database.Config{Path: filepath.Join(file, "x.db")}, corehour.KindUnavailable, "cannot be opened"},
		{"another file", database.Config{Path: file}, corehour.KindUnavailable, "cannot be opened"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := database.Open(t.Context(), c.config)
			if err == nil {
				_ = db.Close()
				t.Fatal("it opens")
			}
			if corehour.KindOf(err) != c.kind {
				t.Errorf("kind %v, want %v", corehour.KindOf(err), c.kind)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not say %q", err, c.want)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q shows the password or is more than a line", err)
			}
		})
	}
}

func TestOpen_WrongPasswordIsOneLine(t *testing.T) {
	url := testenv.PostgresURL(t)
	at := strings.LastIndex(url, "@")
	_, err := database.Open(t.Context(), database.Config{URL: "postgres://corehour:wrongsecret" + url[at:]})
	if err == nil {
		t.Fatal("it opens")
	}
	if !strings.Contains(err.Error(), "password authentication failed") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "wrongsecret") {
		t.Errorf("%q", err)
	}
}

func TestOpen_PathMayContainWhatURLsReserve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?b#c%20d", "e&f.db")
	db := testenv.Open(t, database.Config{Path: path})
	createThings(t, db)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestSQLite_CommitsReachTheDisk(t *testing.T) {
	db := testenv.SQLite(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
}

func TestReader_RefusesToWrite(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		if _, err := db.Reader().ExecContext(t.Context(), "INSERT INTO things (id) VALUES (1)"); err == nil {
			t.Error("a reader wrote")
		}
	})
}

func TestReader_DoesNotWaitForAWriterNorSeeItsWork(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO things (id) VALUES (1)"); err != nil {
				return err
			}
			if n := countThings(t, db); n != 0 {
				t.Errorf("a reader sees %d rows that are not committed", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := countThings(t, db); n != 1 {
			t.Errorf("%d rows after the commit, want 1", n)
		}
	})
}

func TestMigrate_RunsOnceAndCountsPerOwner(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		first := fstest.MapFS{"00001_a.sql": sqlFile("CREATE TABLE a (id BIGINT)")}
		other := fstest.MapFS{"00001_b.sql": sqlFile("CREATE TABLE b (id BIGINT)")}
		for range 2 {
			migrate(t, db, "first", first)
			migrate(t, db, "other", other)
		}
		first["00002_c.sql"] = sqlFile("CREATE TABLE c (id BIGINT)")
		migrate(t, db, "first", first)
		for _, table := range []string{"a", "b", "c", "goose_first", "goose_other"} {
			if _, err := db.Reader().ExecContext(t.Context(), "SELECT COUNT(*) FROM "+table); err != nil {
				t.Error(err)
			}
		}
		first["00003_d.sql"] = sqlFile("CREATE TABLE d (id BIGINT); not SQL")
		if err := db.Migrate(t.Context(), "first", first); err == nil {
			t.Error("a broken migration succeeds")
		}
		if _, err := db.Reader().ExecContext(t.Context(), "SELECT COUNT(*) FROM d"); err == nil {
			t.Error("a broken migration was left half done")
		}
	})
}

func TestMigrate_NodesThatStartTogetherWaitForEachOther(t *testing.T) {
	url := testenv.PostgresURL(t)
	files := fstest.MapFS{"00001_a.sql": sqlFile("CREATE TABLE a (id BIGINT)"), "00002_b.sql": sqlFile("CREATE TABLE b (id BIGINT)")}
	errs := make(chan error)
	const nodes = 4
	for range nodes {
		db := testenv.Open(t, database.Config{URL: url})
		go func() { errs <- db.Migrate(t.Context(), "nodes", files) }()
	}
	for range nodes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func sqlFile(statements string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + statements + ";\n")}
}

func migrate(t *testing.T, db *database.DB, owner string, files fstest.MapFS) {
	t.Helper()
	if err := db.Migrate(t.Context(), owner, files); err != nil {
		t.Fatal(err)
	}
}

func createThings(t testing.TB, db *database.DB) {
	t.Helper()
	err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name TEXT, n BIGINT)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func countThings(t testing.TB, db *database.DB) int64 {
	t.Helper()
	var n int64
	if err := db.Reader().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM things").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

var errUndone = errors.New("undone")

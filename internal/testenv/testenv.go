// Package testenv gives tests the databases, the Redis and the shared data they
// run on. `make test` starts private instances and names them in
// COREHOUR_TEST_POSTGRES_URL and COREHOUR_TEST_REDIS_URL.
//
// What is not there is never passed over in silence: with CI=true the test
// fails, otherwise it is skipped with a line that begins with NOT COVERED.
package testenv

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	// The driver that creates and drops the tests' databases.
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/corehour/corehour/internal/database"
)

// The variables that name what tests run on.
const (
	PostgresVariable = "COREHOUR_TEST_POSTGRES_URL"
	RedisVariable    = "COREHOUR_TEST_REDIS_URL"
	DataVariable     = "COREHOUR_DATA"
)

// Databases runs fn as the subtests sqlite and postgres, each with a fresh,
// empty database that is gone when the subtest ends.
func Databases(t *testing.T, fn func(t *testing.T, db *database.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		fn(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		fn(t, Open(t, database.Config{URL: PostgresURL(t)}))
	})
}

// SQLite is a fresh, empty SQLite database.
func SQLite(t testing.TB) *database.DB {
	t.Helper()
	return Open(t, database.Config{Path: filepath.Join(t.TempDir(), "test.db")})
}

// Open opens a database and closes it when the test ends.
func Open(t testing.TB, c database.Config) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// PostgresURL is the URL of a fresh, empty database on the tests' PostgreSQL. It
// is dropped when the test ends.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := required(t, PostgresVariable, "PostgreSQL")
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatalf("%s: %v", PostgresVariable, err)
	}
	name := "corehour_test_" + randomName()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("%s: %v", PostgresVariable, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		// FORCE ends connections that a failed test left open.
		if _, err := admin.ExecContext(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
		_ = admin.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", PostgresVariable, err)
	}
	u.Path = "/" + name
	return u.String()
}

func randomName() string {
	var b [8]byte
	// rand.Read never fails; it ends the program instead.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// required is the value of a variable, or the end of the test.
func required(t testing.TB, variable, what string) string {
	t.Helper()
	if v := os.Getenv(variable); v != "" {
		return v
	}
	missing(t, what+" (run make test)")
	return ""
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("NOT COVERED: %s, and CI=true", what)
	}
	t.Skipf("NOT COVERED: %s", what)
}

// DataFile is the path of a file of the shared data, such as
// DataFile(t, "price", "regions.csv"). The data stands in the folder that
// COREHOUR_DATA names, or beside the repository in shared/data.
func DataFile(t testing.TB, elem ...string) string {
	t.Helper()
	folder := os.Getenv(DataVariable)
	if folder == "" {
		folder = filepath.Join(repository(t), "..", "shared", "data")
	}
	path := filepath.Join(append([]string{folder}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, "the shared data's "+strings.Join(elem, "/")+" (set "+DataVariable+")")
	}
	return path
}

// repository is the folder of go.mod: the tests of a package run in the package's folder.
func repository(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			t.Fatal("testenv: no go.mod above the test's folder")
		}
		folder = parent
	}
}

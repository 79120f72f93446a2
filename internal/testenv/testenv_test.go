package testenv_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// outcome is a test that notes how it ended.
type outcome struct {
	testing.TB
	failed, skipped string
}

func (o *outcome) Helper() {}

func (o *outcome) Fatalf(format string, args ...any) {
	o.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (o *outcome) Skipf(format string, args ...any) {
	o.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func outcomeOf(t *testing.T, fn func(t testing.TB)) *outcome {
	t.Helper()
	o := &outcome{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(o)
	}()
	<-done
	return o
}

func TestMissingServices_AreSkippedLoudlyAndFailUnderCI(t *testing.T) {
	for name, need := range map[string]func(t testing.TB){
		"PostgreSQL": func(t testing.TB) { testenv.PostgresURL(t) },
		"Redis":      func(t testing.TB) { testenv.RedisURL(t) },
		"no/such":    func(t testing.TB) { testenv.DataFile(t, "no", "such") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(testenv.PostgresVariable, "")
			t.Setenv(testenv.RedisVariable, "")
			t.Setenv("CI", "")
			if o := outcomeOf(t, need); !strings.HasPrefix(o.skipped, "NOT COVERED: ") || !strings.Contains(o.skipped, name) || o.failed != "" {
				t.Errorf("without CI: skipped %q, failed %q", o.skipped, o.failed)
			}
			t.Setenv("CI", "true")
			if o := outcomeOf(t, need); !strings.HasPrefix(o.failed, "NOT COVERED: ") || o.skipped != "" {
				t.Errorf("with CI: skipped %q, failed %q", o.skipped, o.failed)
			}
		})
	}
}

func TestDatabases_AreFreshAndEmptyEachTime(t *testing.T) {
	for range 2 {
		testenv.Databases(t, func(t *testing.T, db *database.DB) {
			err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "CREATE TABLE once (id BIGINT)")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPostgresURL_DropsItsDatabase(t *testing.T) {
	var used string
	t.Run("inner", func(t *testing.T) {
		used = testenv.PostgresURL(t)
		testenv.Open(t, database.Config{URL: used})
	})
	if used == "" {
		t.Skip("NOT COVERED: PostgreSQL (run make test)")
	}
	if db, err := database.Open(t.Context(), database.Config{URL: used}); err == nil {
		_ = db.Close()
		t.Error("the database is still there")
	}
}

func TestRedisURL_TwoTestsDoNotMeet(t *testing.T) {
	first, second := testenv.RedisURL(t), testenv.RedisURL(t)
	one, other := client(t, first), client(t, second)
	if err := one.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := other.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("the other database holds %d keys, %v", n, err)
	}
	if u, err := url.Parse(first); err != nil || u.Path == "/0" {
		t.Errorf("%v is the register, %v", u, err)
	}
}

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestDataFile_TakesTheFolderThatIsNamed(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "x.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(testenv.DataVariable, folder)
	if got := testenv.DataFile(t, "x.csv"); got != filepath.Join(folder, "x.csv") {
		t.Errorf("%s", got)
	}
}

package database_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func TestWrite_RollsBackOnErrorAndOnPanic(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		insert := func(ctx context.Context, tx *sql.Tx) {
			if _, err := tx.ExecContext(ctx, "INSERT INTO things (id) VALUES (1)"); err != nil {
				t.Fatal(err)
			}
		}
		err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			insert(ctx, tx)
			return errUndone
		})
		if !errors.Is(err, errUndone) {
			t.Errorf("the error became %v", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				insert(ctx, tx)
				panic("invariant")
			})
		}()
		if n := countThings(t, db); n != 0 {
			t.Errorf("%d rows were left behind", n)
		}
		// And the connection is free again.
		if err := db.Write(t.Context(), func(context.Context, *sql.Tx) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestWrite_InsideOfAWriteIsAProgrammingError(t *testing.T) {
	db := testenv.SQLite(t)
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	_ = db.Write(t.Context(), func(ctx context.Context, _ *sql.Tx) error {
		return db.Write(ctx, func(context.Context, *sql.Tx) error { return nil })
	})
}

func TestWrite_RunsAgainWhenItLostARace(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		runs := 0
		err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			runs++
			if _, err := tx.ExecContext(ctx, "INSERT INTO things (id) VALUES (1)"); err != nil {
				return err
			}
			if runs < 3 {
				return &pgconn.PgError{Code: "40001"}
			}
			return nil
		})
		if err != nil || runs != 3 || countThings(t, db) != 1 {
			t.Errorf("%d runs, %d rows, %v", runs, countThings(t, db), err)
		}
	})
}

func TestWrite_GivesUpAfterItsLimit(t *testing.T) {
	db := testenv.SQLite(t)
	runs := 0
	lost := &pgconn.PgError{Code: "40P01"}
	err := db.Write(t.Context(), func(context.Context, *sql.Tx) error {
		runs++
		return lost
	})
	if runs != database.MaxWriteAttempts || !errors.Is(err, lost) {
		t.Errorf("%d runs, %v", runs, err)
	}
}

func TestWrite_DoesNotRunAgainOnOtherErrors(t *testing.T) {
	db := testenv.SQLite(t)
	runs := 0
	_ = db.Write(t.Context(), func(context.Context, *sql.Tx) error {
		runs++
		return &pgconn.PgError{Code: "23505"}
	})
	if runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

// Two transactions lock two rows in opposite order until PostgreSQL ends one of
// them: both must succeed in the end.
func TestWrite_DeadlockIsRunAgain(t *testing.T) {
	db := testenv.Open(t, database.Config{URL: testenv.PostgresURL(t)})
	createThings(t, db)
	err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO things (id, n) VALUES (1, 0), (2, 0)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var both, wg sync.WaitGroup
	both.Add(2)
	for _, order := range [][2]int64{{1, 2}, {2, 1}} {
		wg.Go(func() {
			first := true
			err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				if _, err := tx.ExecContext(ctx, "UPDATE things SET n = n + 1 WHERE id = $1", order[0]); err != nil {
					return err
				}
				if first {
					first = false
					both.Done()
					both.Wait()
				}
				_, err := tx.ExecContext(ctx, "UPDATE things SET n = n + 1 WHERE id = $1", order[1])
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var sum int64
	if err := db.Reader().QueryRowContext(t.Context(), "SELECT CAST(SUM(n) AS BIGINT) FROM things").Scan(&sum); err != nil || sum != 4 {
		t.Errorf("the counts add up to %d, want 4, %v", sum, err)
	}
}

func TestWrite_ConcurrentWritersLoseNoUpdate(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		const writers, each = 6, 25
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
						_, err := tx.ExecContext(ctx, "INSERT INTO things (id, n) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = things.n + excluded.n")
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var n int64
		if err := db.Reader().QueryRowContext(t.Context(), "SELECT n FROM things WHERE id = 1").Scan(&n); err != nil || n != writers*each {
			t.Errorf("counted %d, want %d, %v", n, writers*each, err)
		}
	})
}

func TestWrite_ContextThatEndsRollsBack(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createThings(t, db)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO things (id) VALUES (1)")
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if n := countThings(t, db); n != 0 {
			t.Errorf("%d rows were left behind", n)
		}
	})
}

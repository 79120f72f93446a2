package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Limits of reruns.
const (
	// MaxWriteAttempts bounds how often Write runs fn for one call.
	MaxWriteAttempts = 10
	firstWriteDelay  = 2 * time.Millisecond
	maxWriteDelay    = 250 * time.Millisecond
)

// writing marks the context of a running Write, so that Insert knows its
// database and a Write inside of a Write is caught.
type writing struct{}

// Write runs fn in one write transaction and commits it; on an error or a panic
// it rolls back. When the transaction lost against another one (PostgreSQL's
// 40001 and 40P01, SQLite's BUSY) fn runs again, so it must have no effect but
// through tx.
//
// The isolation is PostgreSQL's READ COMMITTED: every statement sees what was
// committed before it. A decision that rests on a row somebody else may change
// must therefore be part of the statement that writes (compare-and-set, ON
// CONFLICT), or lock the row by updating it first. SQLite has one writer at a
// time, so what is right under READ COMMITTED is right there.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	if ctx.Value(writing{}) != nil {
		// On SQLite it would wait for itself forever.
		panic("database: Write called inside of a Write")
	}
	delay := firstWriteDelay
	for attempt := 1; ; attempt++ {
		err := db.writeOnce(ctx, fn)
		if err == nil || !lostRace(err) && !busy(err) {
			return err
		}
		if attempt == MaxWriteAttempts {
			return fmt.Errorf("database: transaction lost %d times: %w", attempt, err)
		}
		// The jitter keeps two that collided from colliding again.
		timer := time.NewTimer(delay/2 + rand.N(delay))
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		delay = min(2*delay, maxWriteDelay)
	}
}

func (db *DB) writeOnce(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) (err error) {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("database: begin: %w", err)
	}
	done := false
	defer func() {
		// Also on a panic of fn, which goes on after this. The error of a
		// rollback adds nothing: the transaction ends either way.
		if !done {
			_ = tx.Rollback()
		}
	}()
	if err := fn(context.WithValue(ctx, writing{}, db), tx); err != nil {
		return err
	}
	done = true
	err = tx.Commit()
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		// The context ended after fn did, and the transaction was rolled back for
		// that: this is what happened.
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("database: commit: %w", err)
	}
	return nil
}

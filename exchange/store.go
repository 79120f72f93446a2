package exchange

import (
	"context"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// projectionStore is where the projection is written.
type projectionStore interface {
	// position is where the projection stands; how many commands that is it does
	// not say.
	position(ctx context.Context) (log.Position, error)
	// write moves the position and writes what belongs to it, all or nothing.
	// errPositionMoved says that the position is not the one to move from.
	write(ctx context.Context, from, to log.Position, events []corehour.Event, rows *rowChanges) error
}

// errPositionMoved says that the projection is not where this node left it: a
// commit succeeded whose acknowledgement was lost, or another node of the same
// log has written these batches.
var errPositionMoved = errors.New("exchange: the projection was moved meanwhile")

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *database.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "exchange", files)
}

// sqlStore is the projection in SQLite or PostgreSQL.
type sqlStore struct{ db *database.DB }

func (s sqlStore) position(ctx context.Context) (log.Position, error) {
	var at log.Position
	var text string
	err := s.db.Reader().QueryRowContext(ctx, `SELECT sequence, hash FROM exchange_position WHERE id = 1`).Scan(&at.Sequence, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return at, nil
	}
	if err != nil {
		return at, fmt.Errorf("exchange: position: %w", err)
	}
	if n, err := hex.Decode(at.Hash[:], []byte(text)); err != nil || n != len(at.Hash) {
		return at, log.Corrupt(at.Sequence, "the projection's hash is not a hash")
	}
	return at, nil
}

func (s sqlStore) write(ctx context.Context, from, to log.Position, events []corehour.Event, rows *rowChanges) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := moveTo(ctx, tx, from, to); err != nil {
			return err
		}
		if err := bus.Append(ctx, tx, corehour.ProducerExchange, events); err != nil {
			return err
		}
		return rows.write(ctx, tx)
	})
}

// moveTo advances the stored position if it is where this node left it, so that
// of two nodes only one writes each batch.
func moveTo(ctx context.Context, tx *sql.Tx, from, to log.Position) error {
	var result sql.Result
	var err error
	if from.Sequence == 0 {
		result, err = tx.ExecContext(ctx, `INSERT INTO exchange_position (id, sequence, hash) VALUES (1, $1, $2)
			ON CONFLICT (id) DO NOTHING`, int64(to.Sequence), to.Hash.String())
	} else {
		result, err = tx.ExecContext(ctx, `UPDATE exchange_position SET sequence = $1, hash = $2 WHERE id = 1 AND sequence = $3`,
			int64(to.Sequence), to.Hash.String(), int64(from.Sequence))
	}
	if err != nil {
		return fmt.Errorf("exchange: position: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errPositionMoved)
	}
	return nil
}

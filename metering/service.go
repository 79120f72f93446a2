package metering

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationOwner names metering's table of migrations.
const migrationOwner = "metering"

// Config is what a Service needs. All of it is required; only Grace may be zero.
type Config struct {
	DB    *database.DB
	Clock corehour.Clock
	// Grace is how long after a lease ended its provider may still report usage,
	// unless the provider closes it sooner.
	Grace time.Duration
	// CloseEvery is how often Run looks for leases whose grace has passed. It is
	// time of the machine, not of Clock.
	CloseEvery time.Duration
	// Committed is called after events were committed to metering's outbox, to
	// wake the bus. It must be cheap and must not block.
	Committed func()
	Logger    *slog.Logger
}

// Service takes in usage and closes it. Its methods may be called from any
// goroutine, and by several nodes on one database.
type Service struct {
	db         *database.DB
	clock      corehour.Clock
	grace      time.Duration
	closeEvery time.Duration
	committed  func()
	logger     *slog.Logger
	// wake holds at most one signal that leases may have become due.
	wake chan struct{}
}

// New checks the configuration and makes a Service. Migrate comes next.
func New(c Config) (*Service, error) {
	switch {
	case c.DB == nil:
		return nil, errors.New("metering: no database")
	case c.Clock == nil:
		return nil, errors.New("metering: no clock")
	case c.Logger == nil:
		return nil, errors.New("metering: no logger")
	case c.Committed == nil:
		return nil, errors.New("metering: nothing to tell of committed events")
	case c.Grace < 0:
		return nil, fmt.Errorf("metering: the usage grace is below zero: %s", c.Grace)
	case c.CloseEvery <= 0:
		return nil, fmt.Errorf("metering: the closing interval is not above zero: %s", c.CloseEvery)
	}
	return &Service{
		db: c.DB, clock: c.Clock, grace: c.Grace, closeEvery: c.CloseEvery,
		committed: c.Committed, logger: c.Logger, wake: make(chan struct{}, 1),
	}, nil
}

// Migrate brings metering's tables up to date. The bus must have been migrated
// before anything is reported.
func (s *Service) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("metering: migrations: %w", err)
	}
	return s.db.Migrate(ctx, migrationOwner, files)
}

func (s *Service) now() corehour.Instant { return corehour.InstantOf(s.clock.Now()) }

// internal wraps what failed without the caller's fault. A context that ended
// and an error that says what it is pass through.
func internal(op string, err error) error {
	var known *corehour.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return corehour.Internal("metering."+op, err)
}

// checkBatch refuses what cannot be a batch of a provider.
func checkBatch(provider corehour.AccountID, field string, items int) error {
	switch {
	case !corehour.ValidName(provider):
		return corehour.Invalid("provider", "not the name of an account")
	case items == 0:
		return corehour.Invalid(field, "there is nothing in it")
	case items > MaxBatch:
		e := corehour.Errorf(corehour.KindTooLarge, corehour.CodeTooManyItems,
			"%d are more than the %d that one request may carry", items, MaxBatch)
		e.Field = field
		return e
	}
	return nil
}

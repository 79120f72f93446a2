package providers

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

// migrationOwner names this package's table of migrations.
const migrationOwner = "providers"

// Limits of the inboxes.
const (
	// MaxPage bounds the deliveries of one page.
	MaxPage = 500
	// MaxWaiting bounds the calls of Wait that one node serves at a time.
	MaxWaiting = 10_000
	// DefaultRecheck is how often a Wait looks into its inbox without having been
	// woken. It is how late a delivery is that another node took.
	DefaultRecheck = 5 * time.Second
)

// CodeTooManyWaiting is the code of a Wait beyond MaxWaiting.
const CodeTooManyWaiting corehour.Code = "too_many_waiting"

// Config is what a Service needs.
type Config struct {
	DB     *database.DB
	Logger *slog.Logger
	// Recheck is DefaultRecheck unless set. It is time of the machine.
	Recheck time.Duration
}

// Service keeps the inboxes. Its methods may be called from any goroutine, and
// by several nodes on one database.
type Service struct {
	db      *database.DB
	logger  *slog.Logger
	recheck time.Duration
	waiting *waiting
}

// New checks the configuration and makes a Service. Migrate comes next.
func New(c Config) (*Service, error) {
	switch {
	case c.DB == nil:
		return nil, errors.New("providers: no database")
	case c.Logger == nil:
		return nil, errors.New("providers: no logger")
	case c.Recheck < 0:
		return nil, fmt.Errorf("providers: the time until an inbox is checked again is below zero: %s", c.Recheck)
	case c.Recheck == 0:
		c.Recheck = DefaultRecheck
	}
	return &Service{db: c.DB, logger: c.Logger, recheck: c.Recheck, waiting: newWaiting(MaxWaiting)}, nil
}

// Migrate brings this package's tables up to date.
func (s *Service) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("providers: migrations: %w", err)
	}
	return s.db.Migrate(ctx, migrationOwner, files)
}

// internal wraps what failed without the caller's fault. The end of a context
// passes through.
func internal(op string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return corehour.Internal("providers."+op, err)
}

package billing

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// ConsumerName is how the bus knows billing.
const ConsumerName = "billing"

// DefaultCurrency is the currency of a Config that names none.
const DefaultCurrency = "USD"

// defaultInterval is how often the dispatcher looks without having been woken.
const defaultInterval = 500 * time.Millisecond

//go:embed migrations/*.sql
var migrations embed.FS

// Exchange is what billing asks of the exchange. A nil error means that each of
// them stands in the log; asking again for the same (lease, number), or for the
// same settlement, changes nothing and succeeds. An error of kind unavailable or
// limited is about the exchange, any other one about what it was asked.
type Exchange interface {
	PostCharges(ctx context.Context, charges []Charge) error
	SettleLeases(ctx context.Context, leases []Settlement) error
}

// Charge is an amount that a lease owes for one of its hours. Charges of a lease
// are numbered from 1.
type Charge struct {
	Lease  corehour.LeaseID
	Number int64
	Kind   corehour.ChargeKind
	Hour   corehour.Minute
	Amount corehour.Money
}

// Settlement says that a lease owes nothing beyond its posted charges.
type Settlement struct {
	Lease   corehour.LeaseID
	Charges int64
}

// Config is what a Service needs. DB, Clock and Exchange are required.
type Config struct {
	DB       *database.DB
	Clock    corehour.Clock
	Exchange Exchange
	// Committed is called when billing's own outbox has new events.
	Committed func()
	Logger    *slog.Logger
	// Currency is the ISO 4217 code that documents carry.
	Currency string
	// Interval is how often the dispatcher looks without having been woken.
	Interval time.Duration
}

// Service is billing. Its methods may be called from any goroutine.
type Service struct {
	db        *database.DB
	clock     corehour.Clock
	exchange  Exchange
	committed func()
	log       *slog.Logger
	currency  string
	interval  time.Duration
	woken     chan struct{} // holds at most one wake, which is enough
	// documentLeases is MaxDocumentLeases, but in tests.
	documentLeases int
}

var currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)

// New checks the configuration and makes a Service. It starts nothing.
func New(c Config) (*Service, error) {
	switch {
	case c.DB == nil:
		return nil, errors.New("billing: Config.DB is not set")
	case c.Clock == nil:
		return nil, errors.New("billing: Config.Clock is not set")
	case c.Exchange == nil:
		return nil, errors.New("billing: Config.Exchange is not set")
	case c.Interval < 0:
		return nil, errors.New("billing: Config.Interval is negative")
	}
	if c.Committed == nil {
		c.Committed = func() {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Currency == "" {
		c.Currency = DefaultCurrency
	}
	if !currencyPattern.MatchString(c.Currency) {
		return nil, fmt.Errorf("billing: Config.Currency is not a code like USD: %.10q", c.Currency)
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	return &Service{
		db: c.DB, clock: c.Clock, exchange: c.Exchange, committed: c.Committed,
		log: c.Logger, currency: c.Currency, interval: c.Interval, woken: make(chan struct{}, 1),
		documentLeases: MaxDocumentLeases,
	}, nil
}

// Migrate brings billing's tables up to date.
func (s *Service) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return corehour.Internal("billing.Migrate", err)
	}
	return s.db.Migrate(ctx, ConsumerName, files)
}

// Consumer is how billing learns what has happened.
func (s *Service) Consumer() bus.Consumer {
	return bus.Consumer{
		Name:      ConsumerName,
		Producers: []corehour.Producer{corehour.ProducerExchange, corehour.ProducerMetering},
		Take:      s.take,
		Committed: s.wake,
	}
}

// wake lets the dispatcher look now. It never blocks: a wake that is already
// waiting serves for this one too.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

package bus

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Limits of the bus.
const (
	// DefaultPoll is how often relays and consumers look at the outbox without
	// having been told to.
	DefaultPoll = time.Second
	// MaxMessageBytes bounds the data of the events in one message; one event
	// that is larger travels alone.
	MaxMessageBytes = 1 << 20
	// relayLinger is how long a relay that was woken waits for more events.
	relayLinger = 20 * time.Millisecond
	// waitPoll is how often WaitFor looks whether another node took the event.
	waitPoll = 100 * time.Millisecond
	// Backoff of a Take that failed and of a Redis that does not answer.
	firstRetry = 20 * time.Millisecond
	maxRetry   = 5 * time.Second
)

// Consumer acts on the events of some producers.
type Consumer struct {
	// Name identifies the consumer forever: its positions are stored under it.
	Name string
	// Producers are whose events it takes.
	Producers []corehour.Producer
	// Take applies events of one producer, in order, in the transaction that also
	// records the position. It is never called twice for the same event with a
	// committed effect, never concurrently for one consumer within a node, and
	// with at most corehour.MaxFeedEvents. It may be called again for events whose
	// transaction did not commit, so it must have no effect but through tx, and it
	// must not change the events, which other consumers are reading too.
	Take func(ctx context.Context, tx *sql.Tx, events []corehour.Event) error
	// Committed, if set, is called after the transaction of a Take has committed
	// (to wake workers). It must not block.
	Committed func()
}

// Config says what a Bus connects.
type Config struct {
	DB *database.DB
	// RedisURL, if set, makes Redis Streams the carrier: redis://host:6379/0.
	RedisURL  string
	Logger    *slog.Logger
	Consumers []Consumer
	// Poll is DefaultPoll unless set.
	Poll time.Duration
}

// Bus runs the relays and consumers of one node.
type Bus struct {
	db        *database.DB
	redisURL  string
	logger    *slog.Logger
	poll      time.Duration
	relays    map[corehour.Producer]*relay
	followers map[followerKey]*follower
	running   atomic.Bool
}

type followerKey struct {
	consumer string
	producer corehour.Producer
}

// New checks a configuration. Nothing runs until Run.
func New(c Config) (*Bus, error) {
	if c.DB == nil || c.Logger == nil {
		return nil, errors.New("bus: DB and Logger are required")
	}
	if c.Poll < 0 {
		return nil, errors.New("bus: Poll is negative")
	}
	if c.Poll == 0 {
		c.Poll = DefaultPoll
	}
	if c.RedisURL != "" {
		if _, err := redisOptions(c.RedisURL); err != nil {
			return nil, err
		}
	}
	b := &Bus{
		db: c.DB, redisURL: c.RedisURL, logger: c.Logger, poll: c.Poll,
		relays:    map[corehour.Producer]*relay{},
		followers: map[followerKey]*follower{},
	}
	for _, consumer := range c.Consumers {
		if consumer.Name == "" || consumer.Take == nil || len(consumer.Producers) == 0 {
			return nil, fmt.Errorf("bus: consumer %q needs a name, producers and a Take", consumer.Name)
		}
		serial := new(sync.Mutex)
		for _, producer := range consumer.Producers {
			key := followerKey{consumer.Name, producer}
			if b.followers[key] != nil {
				return nil, fmt.Errorf("bus: consumer %s follows %s twice", consumer.Name, producer)
			}
			b.followers[key] = newFollower(b, consumer, producer, serial)
			if b.relays[producer] == nil {
				b.relays[producer] = newRelay(b, producer)
			}
		}
	}
	for key, f := range b.followers {
		r := b.relays[key.producer]
		r.followers = append(r.followers, f)
	}
	return b, nil
}

// Migrate creates the bus's tables. Call it before the first Append.
func (b *Bus) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("bus: migrations: %w", err)
	}
	return b.db.Migrate(ctx, "bus", files)
}

// Run relays and consumes until ctx ends, then waits for all that it started. A
// Bus runs once.
func (b *Bus) Run(ctx context.Context) error {
	if !b.running.CompareAndSwap(false, true) {
		return errors.New("bus: already running")
	}
	for _, f := range b.followers {
		if err := f.load(ctx); err != nil {
			return err
		}
	}
	for _, r := range b.relays {
		if err := r.load(ctx); err != nil {
			return err
		}
	}
	c, err := b.newCarrier()
	if err != nil {
		return err
	}
	b.carry(ctx, c)
	return c.close()
}

// carry runs all relays and consumers on a carrier until ctx ends.
func (b *Bus) carry(ctx context.Context, c carrier) {
	var wg sync.WaitGroup
	for _, f := range b.followers {
		s := newSubscription(b, f, c)
		if c.inProcess() {
			// Before anyone publishes: the channel cannot take a subscriber while
			// a publisher waits. A Redis that does not answer delays nobody.
			s.open(ctx)
		}
		wg.Go(func() { s.run(ctx) })
		wg.Go(func() { f.run(ctx) })
	}
	for _, r := range b.relays {
		wg.Go(func() { r.run(ctx, c) })
	}
	wg.Wait()
}

// Committed says that the producer's outbox has new events. Those that are given,
// in their order and as Append numbered them, need not be read back; they must
// not be changed any more. It is cheap and never blocks; without it events travel
// at the next poll.
func (b *Bus) Committed(producer corehour.Producer, events ...corehour.Event) {
	if r := b.relays[producer]; r != nil {
		r.offer(events)
		wake(r.woken)
	}
}

// LastSequence is the number of the producer's newest event, 0 if it has none.
func (b *Bus) LastSequence(ctx context.Context, producer corehour.Producer) (int64, error) {
	return lastSequence(ctx, b.db.Reader(), producer)
}

// WaitFor returns when the consumer has taken the producer's events up to a
// number and that has committed, on this node or another one.
func (b *Bus) WaitFor(ctx context.Context, consumer string, producer corehour.Producer, sequence int64) error {
	f := b.followers[followerKey{consumer, producer}]
	if f == nil {
		return fmt.Errorf("bus: consumer %q does not follow %s", consumer, producer)
	}
	taken, changed := f.taken()
	if taken >= sequence {
		return nil
	}
	b.Committed(producer)
	ticker := time.NewTicker(waitPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("bus: wait for %s to take %s/%d: %w", consumer, producer, sequence, ctx.Err())
		case <-changed:
		case <-ticker.C:
			if err := f.load(ctx); err != nil {
				return err
			}
		}
		if taken, changed = f.taken(); taken >= sequence {
			return nil
		}
	}
}

// wake leaves a note for a goroutine that may be busy; one note is enough.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits and reports whether the context is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

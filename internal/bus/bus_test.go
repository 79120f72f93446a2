package bus_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// noPoll keeps the fallback from healing what the test is about.
const noPoll = time.Hour

// onAll runs fn with every carrier on every database.
func onAll(t *testing.T, fn func(t *testing.T, db *database.DB, redisURL string)) {
	t.Run("channel", func(t *testing.T) {
		testenv.Databases(t, func(t *testing.T, db *database.DB) { fn(t, db, "") })
	})
	t.Run("redis", func(t *testing.T) {
		testenv.Databases(t, func(t *testing.T, db *database.DB) { fn(t, db, testenv.RedisURL(t)) })
	})
}

func follow(name string, take func(context.Context, *sql.Tx, []corehour.Event) error) bus.Consumer {
	return bus.Consumer{Name: name, Producers: []corehour.Producer{exchange}, Take: take}
}

func TestBus_EveryConsumerTakesEveryEventOnceInOrder(t *testing.T) {
	onAll(t, func(t *testing.T, db *database.DB, redisURL string) {
		createSeen(t, db)
		var mu sync.Mutex
		var order []int64
		committed := 0
		b := newBus(t, bus.Config{DB: db, RedisURL: redisURL, Poll: noPoll, Consumers: []bus.Consumer{
			{
				Name: "billing", Producers: []corehour.Producer{exchange, corehour.ProducerMetering},
				Take: func(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
					if len(events) > corehour.MaxFeedEvents {
						t.Errorf("Take was given %d events", len(events))
					}
					if events[0].Producer == corehour.ProducerMetering {
						return nil
					}
					mu.Lock()
					defer mu.Unlock()
					for _, e := range events {
						order = append(order, e.Sequence)
					}
					return takeSeen("billing")(ctx, tx, events)
				},
				Committed: func() { mu.Lock(); committed++; mu.Unlock() },
			},
			follow("metering", takeSeen("metering")),
		}})
		run(t, b)
		var last int64
		for range 30 {
			last = appendEvents(t, db, b, exchange, 100)
			appendEvents(t, db, b, corehour.ProducerMetering, 3)
		}
		waitFor(t, b, "billing", exchange, last)
		waitFor(t, b, "billing", corehour.ProducerMetering, 90)
		waitFor(t, b, "metering", exchange, last)
		wantSeen(t, db, "billing", 3000)
		wantSeen(t, db, "metering", 3000)
		mu.Lock()
		defer mu.Unlock()
		for i, s := range order {
			if s != int64(i)+1 {
				t.Fatalf("event %d was taken as number %d", s, i+1)
			}
		}
		if committed == 0 {
			t.Error("Committed was not called")
		}
	})
}

func TestBus_EventsArriveUnchanged(t *testing.T) {
	onAll(t, func(t *testing.T, db *database.DB, redisURL string) {
		got := make(chan corehour.Event, 1)
		b := newBus(t, bus.Config{DB: db, RedisURL: redisURL, Poll: noPoll, Consumers: []bus.Consumer{
			follow("billing", func(_ context.Context, _ *sql.Tx, events []corehour.Event) error {
				got <- events[0]
				return nil
			}),
		}})
		run(t, b)
		sent, err := corehour.NewEvent("exchange.lease.matched.v1", 1_700_000_000_123_456, "lease-17", map[string]string{"note": `<é & "quotes">`})
		if err != nil {
			t.Fatal(err)
		}
		events := []corehour.Event{sent}
		write(t, db, func(ctx context.Context, tx *sql.Tx) error { return bus.Append(ctx, tx, exchange, events) })
		b.Committed(exchange)
		e := <-got
		if e.ID() != "exchange/1" || e.Type != sent.Type || e.Time != sent.Time || e.Subject != sent.Subject || string(e.Data) != string(sent.Data) {
			t.Errorf("sent %+v %s, got %+v %s", sent, sent.Data, e, e.Data)
		}
	})
}

// A Take that fails names the event, is tried again until it succeeds, and holds
// up nobody else.
func TestBus_FailingTakeIsRetriedNamedAndHoldsUpNobody(t *testing.T) {
	onAll(t, func(t *testing.T, db *database.DB, redisURL string) {
		createSeen(t, db)
		var mu sync.Mutex
		broken := true
		log := &lockedBuffer{}
		b := newBus(t, bus.Config{
			DB: db, RedisURL: redisURL, Poll: noPoll, Logger: slog.New(slog.NewTextHandler(log, nil)),
			Consumers: []bus.Consumer{
				follow("broken", func(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
					// The effect comes first: it must not outlive the failure.
					if err := takeSeen("broken")(ctx, tx, events); err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					for _, e := range events {
						if e.Sequence == 37 && broken {
							return errors.New("no tariff")
						}
					}
					return nil
				}),
				follow("healthy", takeSeen("healthy")),
			},
		})
		run(t, b)
		appendEvents(t, db, b, exchange, 100)
		waitFor(t, b, "healthy", exchange, 100)
		waitFor(t, b, "broken", exchange, 36)
		log.waitFor(t, "event=exchange/37")
		// While it fails, new events still reach the others by message.
		last := appendEvents(t, db, b, exchange, 100)
		waitFor(t, b, "healthy", exchange, last)
		wantSeen(t, db, "broken", 36)
		mu.Lock()
		broken = false
		mu.Unlock()
		waitFor(t, b, "broken", exchange, last)
		wantSeen(t, db, "broken", last)
		wantSeen(t, db, "healthy", last)
		if !log.contains("no tariff") || !log.contains("consumer=broken") {
			t.Error("the log does not say who failed and why")
		}
	})
}

// The process dies after the effect and before the commit, as far as a test can
// do that: the bus is stopped inside of a Take.
func TestBus_CrashBetweenTakeAndCommitLosesAndRepeatsNothing(t *testing.T) {
	onAll(t, func(t *testing.T, db *database.DB, redisURL string) {
		createSeen(t, db)
		inTake := make(chan struct{})
		crash := newBus(t, bus.Config{DB: db, RedisURL: redisURL, Consumers: []bus.Consumer{
			follow("billing", func(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
				if err := takeSeen("billing")(ctx, tx, events); err != nil {
					return err
				}
				if events[len(events)-1].Sequence > 100 {
					close(inTake)
					<-ctx.Done()
				}
				return nil
			}),
		}})
		stop := run(t, crash)
		last := appendEvents(t, db, crash, exchange, 100)
		waitFor(t, crash, "billing", exchange, last)
		appendEvents(t, db, crash, exchange, 100)
		<-inTake
		stop()
		wantSeen(t, db, "billing", 100)

		again := newBus(t, bus.Config{DB: db, RedisURL: redisURL, Poll: noPoll, Consumers: []bus.Consumer{
			follow("billing", takeSeen("billing")),
		}})
		// Also what was appended while nobody ran.
		last = appendEvents(t, db, again, exchange, 700)
		run(t, again)
		waitFor(t, again, "billing", exchange, last)
		wantSeen(t, db, "billing", 900)
	})
}

func TestBus_PollFindsWhatNobodyAnnounced(t *testing.T) {
	db := testenv.SQLite(t)
	createSeen(t, db)
	b := newBus(t, bus.Config{DB: db, Poll: 10 * time.Millisecond, Consumers: []bus.Consumer{follow("billing", takeSeen("billing"))}})
	run(t, b)
	// A second bus appends, as another process would: the first is not woken.
	other := newBus(t, bus.Config{DB: db})
	last := appendEvents(t, db, other, exchange, 10)
	for {
		// Not WaitFor, which wakes the relay.
		if len(seen(t, db, "billing")) == int(last) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the poll found nothing")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestBus_TwoNodesTakeEachEventOnce(t *testing.T) {
	for _, carrier := range []string{"channel", "redis"} {
		t.Run(carrier, func(t *testing.T) {
			url := testenv.PostgresURL(t)
			redisURL := ""
			if carrier == "redis" {
				redisURL = testenv.RedisURL(t)
			}
			var nodes []*bus.Bus
			var stores []*database.DB
			for range 2 {
				db := testenv.Open(t, database.Config{URL: url})
				stores = append(stores, db)
				nodes = append(nodes, newBus(t, bus.Config{
					DB: db, RedisURL: redisURL, Poll: 20 * time.Millisecond,
					Consumers: []bus.Consumer{follow("billing", takeSeen("billing")), follow("metering", takeSeen("metering"))},
				}))
			}
			createSeen(t, stores[0])
			for _, b := range nodes {
				run(t, b)
			}
			var last int64
			for i := range 60 {
				last = appendEvents(t, stores[i%2], nodes[i%2], exchange, 50)
			}
			for _, b := range nodes {
				waitFor(t, b, "billing", exchange, last)
				waitFor(t, b, "metering", exchange, last)
			}
			wantSeen(t, stores[0], "billing", last)
			wantSeen(t, stores[0], "metering", last)
		})
	}
}

func TestBus_WipedRedisLosesNothing(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		createSeen(t, db)
		url := testenv.RedisURL(t)
		b := newBus(t, bus.Config{DB: db, RedisURL: url, Poll: 50 * time.Millisecond, Consumers: []bus.Consumer{
			follow("billing", takeSeen("billing")), follow("metering", takeSeen("metering")),
		}})
		run(t, b)
		client := redisClient(t, url)
		var last int64
		for i := range 40 {
			last = appendEvents(t, db, b, exchange, 25)
			if i%10 == 5 {
				// The tests' other databases in the same Redis are left alone.
				if err := client.FlushDB(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		waitFor(t, b, "billing", exchange, last)
		waitFor(t, b, "metering", exchange, last)
		wantSeen(t, db, "billing", last)
		wantSeen(t, db, "metering", last)
		// And messages travel again: both have subscribed anew.
		waitForGroups(t, client, 2)
	})
}

// waitForGroups waits until so many consumers have subscribed in Redis. One that
// has not yet does not see what is published there.
func waitForGroups(t *testing.T, client *redis.Client, want int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		groups, err := client.XInfoGroups(t.Context(), "corehour.bus.exchange").Result()
		if err == nil && len(groups) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the groups in Redis are %v, want %d (%v)", groups, want, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestBus_RedisThatIsNotThereLosesNothing(t *testing.T) {
	db := testenv.SQLite(t)
	createSeen(t, db)
	// Port 1 refuses connections.
	b := newBus(t, bus.Config{DB: db, RedisURL: "redis://127.0.0.1:1/0", Poll: 20 * time.Millisecond, Consumers: []bus.Consumer{
		follow("billing", takeSeen("billing")),
	}})
	run(t, b)
	last := appendEvents(t, db, b, exchange, 100)
	waitFor(t, b, "billing", exchange, last)
	wantSeen(t, db, "billing", last)
}

// A Redis that another deployment uses, or that is older than a restored
// database, brings events that never happened here.
func TestBus_ForeignMessagesInRedisChangeNothing(t *testing.T) {
	db := testenv.SQLite(t)
	createSeen(t, db)
	url := testenv.RedisURL(t)
	log := &lockedBuffer{}
	b := newBus(t, bus.Config{
		DB: db, RedisURL: url, Poll: noPoll, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Consumers: []bus.Consumer{follow("billing", takeSeen("billing"))},
	})
	run(t, b)
	waitFor(t, b, "billing", exchange, appendEvents(t, db, b, exchange, 3))
	client := redisClient(t, url)
	waitForGroups(t, client, 1)
	for _, payload := range []string{
		`{"v":1,"events":[{"producer":"exchange","sequence":4,"type":"exchange.foreign.happened.v1","time":"2024-01-01T00:00:00Z","subject":"x","data":{}}]}`,
		`{"v":1,"events":[{"producer":"billing","sequence":4,"type":"a.b.c.v1","time":"2024-01-01T00:00:00Z","subject":"x","data":{}}]}`,
		`{"v":1,"events":[]}`,
		`{"v":99,"events":[]}`,
		`not JSON`,
	} {
		err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "corehour.bus.exchange", Values: map[string]any{
			"_watermill_message_uuid": "foreign", "metadata": "", "payload": payload,
		}}).Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	log.waitFor(t, "tells another story")
	log.waitFor(t, "cannot be read")
	last := appendEvents(t, db, b, exchange, 5)
	waitFor(t, b, "billing", exchange, last)
	wantSeen(t, db, "billing", last)
	if last != 8 {
		t.Errorf("the feed ends at %d, want 8", last)
	}
}

func TestBus_StreamInRedisIsTrimmed(t *testing.T) {
	db := testenv.SQLite(t)
	url := testenv.RedisURL(t)
	b := newBus(t, bus.Config{DB: db, RedisURL: url, Poll: noPoll, Consumers: []bus.Consumer{
		follow("billing", func(context.Context, *sql.Tx, []corehour.Event) error { return nil }),
	}})
	run(t, b)
	client := redisClient(t, url)
	filler := make([]string, 2*bus.MaxStreamMessages)
	pipe := client.Pipeline()
	for range filler {
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: "corehour.bus.exchange", Values: map[string]any{"x": "y"}})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, b, "billing", exchange, appendEvents(t, db, b, exchange, 1))
	for {
		n, err := client.XLen(t.Context(), "corehour.bus.exchange").Result()
		if err != nil {
			t.Fatal(err)
		}
		// Redis trims whole nodes of its tree, so a little more may stay.
		if n < bus.MaxStreamMessages*3/2 {
			return
		}
		waitFor(t, b, "billing", exchange, appendEvents(t, db, b, exchange, 1))
	}
}

func TestBus_WaitForEndsWithItsContextAndKnowsItsConsumers(t *testing.T) {
	db := testenv.SQLite(t)
	b := newBus(t, bus.Config{DB: db, Consumers: []bus.Consumer{follow("billing", takeSeen("billing"))}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.WaitFor(ctx, "billing", exchange, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitFor with an ended context: %v", err)
	}
	if err := b.WaitFor(t.Context(), "billing", corehour.ProducerMetering, 1); err == nil {
		t.Error("WaitFor a producer that the consumer does not follow succeeds")
	}
	if err := b.WaitFor(t.Context(), "billing", exchange, 0); err != nil {
		t.Errorf("WaitFor nothing: %v", err)
	}
}

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	db := testenv.SQLite(t)
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	take := func(context.Context, *sql.Tx, []corehour.Event) error { return nil }
	for name, c := range map[string]bus.Config{
		"no database":        {Logger: logger},
		"no logger":          {DB: db},
		"negative poll":      {DB: db, Logger: logger, Poll: -1},
		"no name":            {DB: db, Logger: logger, Consumers: []bus.Consumer{follow("", take)}},
		"no take":            {DB: db, Logger: logger, Consumers: []bus.Consumer{follow("billing", nil)}},
		"no producers":       {DB: db, Logger: logger, Consumers: []bus.Consumer{{Name: "billing", Take: take}}},
		"the same twice":     {DB: db, Logger: logger, Consumers: []bus.Consumer{follow("billing", take), follow("billing", take)}},
		"not a URL of redis": {DB: db, Logger: logger, RedisURL: "http://:secret@host"},
	} {
		if _, err := bus.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestBus_RunsOnce(t *testing.T) {
	b := newBus(t, bus.Config{DB: testenv.SQLite(t)})
	run(t, b)()
	if err := b.Run(t.Context()); err == nil {
		t.Error("a second Run succeeds")
	}
}

func redisClient(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

package bus

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// meanCarrier loses, repeats and reorders messages. It claims to be trusted, so
// that nothing but the positions stands against it.
type meanCarrier struct {
	*channelCarrier
	mu     sync.Mutex
	random *rand.Rand
	held   [][]corehour.Event
}

func newMeanCarrier(seed uint64) *meanCarrier {
	return &meanCarrier{
		channelCarrier: newChannelCarrier(watermill.NopLogger{}),
		random:         rand.New(rand.NewPCG(seed, seed)),
	}
}

func (c *meanCarrier) publish(ctx context.Context, producer corehour.Producer, events []corehour.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	send := [][]corehour.Event{events}
	switch c.random.IntN(5) {
	case 0: // lost
		send = nil
	case 1: // repeated
		send = append(send, events)
	case 2: // delayed
		send, c.held = nil, append(c.held, events)
	case 3: // reordered: those delayed come after, backwards
		slices.Reverse(c.held)
		send, c.held = append(send, c.held...), nil
	}
	for _, e := range send {
		if err := c.channelCarrier.publish(ctx, producer, e); err != nil {
			return err
		}
	}
	return nil
}

const meanTransactions = 200

// meanBus is a bus with one consumer that notes what it takes, in order.
func meanBus(t *testing.T) (b *Bus, db *database.DB, took *[]int64) {
	t.Helper()
	db, took = testenv.SQLite(t), new([]int64)
	b, err := New(Config{
		DB: db, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Poll: 5 * time.Millisecond,
		Consumers: []Consumer{{
			Name: "billing", Producers: []corehour.Producer{corehour.ProducerExchange},
			Take: func(_ context.Context, _ *sql.Tx, events []corehour.Event) error {
				for i := range events {
					*took = append(*took, events[i].Sequence)
				}
				return nil
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, db, took
}

func TestBus_LostRepeatedAndReorderedMessagesChangeNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b, db, took := meanBus(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.carry(ctx, newMeanCarrier(seed)) })
	for range meanTransactions {
		appendSome(t, db, 3)
		b.Committed(corehour.ProducerExchange)
	}
	err := b.WaitFor(ctx, "billing", corehour.ProducerExchange, 3*meanTransactions)
	cancel()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(*took, upTo(3*meanTransactions)) {
		t.Errorf("took %v", *took)
	}
}

// With the positions taken out, the same carrier does harm: the test above tests
// something.
func TestMeanCarrier_HarmsWhoBelievesIt(t *testing.T) {
	b, db, took := meanBus(t)
	carrier := newMeanCarrier(1)
	ctx, cancel := context.WithCancel(t.Context())
	messages, err := carrier.subscribe(ctx, "billing", corehour.ProducerExchange)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for m := range messages {
			events, err := carrier.events(m, corehour.ProducerExchange)
			if err != nil {
				t.Error(err)
			}
			for i := range events {
				*took = append(*took, events[i].Sequence)
			}
			m.Ack()
		}
	})
	for range meanTransactions {
		appendSome(t, db, 3)
		if err := b.relays[corehour.ProducerExchange].publishNew(ctx, carrier); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	sorted := slices.Clone(*took)
	slices.Sort(sorted)
	unique := slices.Compact(slices.Clone(sorted))
	if slices.Equal(*took, sorted) || len(unique) == len(sorted) || len(unique) == 3*meanTransactions {
		t.Error("the mean carrier did not lose, repeat and reorder")
	}
}

// A follower that is handed messages one by one, so that nothing is left to chance.
func TestFollower_SkipsRepeatsAndReadsGapsFromTheOutbox(t *testing.T) {
	b, db, took := meanBus(t)
	f := b.followers[followerKey{"billing", corehour.ProducerExchange}]
	appendSome(t, db, 10)
	all, err := Read(t.Context(), db.Reader(), corehour.ProducerExchange, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name         string
		from, to     int
		wantPosition int64
	}{
		{"the first", 1, 3, 3},
		{"a repeat", 1, 3, 3},
		{"an older part", 2, 2, 3},
		{"half a repeat", 2, 5, 5},
		{"a gap", 9, 9, 10},
		{"what filled the gap", 6, 8, 10},
	} {
		if err := f.receive(t.Context(), delivery{events: all[step.from-1 : step.to], trusted: true}); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		stored, err := Position(t.Context(), db.Reader(), "billing", corehour.ProducerExchange)
		if err != nil {
			t.Fatal(err)
		}
		if now, _ := f.taken(); now != step.wantPosition || stored != step.wantPosition {
			t.Errorf("%s: position %d, stored %d, want %d", step.name, now, stored, step.wantPosition)
		}
	}
	if !slices.Equal(*took, upTo(10)) {
		t.Errorf("took %v", *took)
	}
}

// Another node has moved the position while this one believes the old one.
func TestFollower_PositionThatMovedElsewhereIsNotTakenAgain(t *testing.T) {
	b, db, took := meanBus(t)
	f := b.followers[followerKey{"billing", corehour.ProducerExchange}]
	appendSome(t, db, 5)
	err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := moveTo(ctx, tx, "billing", corehour.ProducerExchange, 0, 3)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(*took, []int64{4, 5}) {
		t.Errorf("took %v, want 4 and 5", *took)
	}
}

func TestFollower_PositionThatWentBackIsAnErrorNotALoop(t *testing.T) {
	b, db, _ := meanBus(t)
	f := b.followers[followerKey{"billing", corehour.ProducerExchange}]
	appendSome(t, db, 5)
	f.moved(2) // nothing of that is stored
	if err := f.catchUp(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestRelay_MessageIsBoundedInBytes(t *testing.T) {
	event := func(bytes int) corehour.Event { return corehour.Event{Data: make([]byte, bytes)} }
	for _, c := range []struct {
		sizes []int
		want  int
	}{
		{[]int{1, 2, 3}, 3},
		{[]int{MaxMessageBytes, 1}, 1},
		{[]int{MaxMessageBytes - 1, 1, 1}, 2},
		{[]int{MaxMessageBytes * 2, 1}, 1},
	} {
		var events []corehour.Event
		for _, size := range c.sizes {
			events = append(events, event(size))
		}
		if got := messageLength(events); got != c.want {
			t.Errorf("%v: %d events, want %d", c.sizes, got, c.want)
		}
	}
}

func upTo(n int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i) + 1
	}
	return all
}

func appendSome(t *testing.T, db *database.DB, n int) {
	t.Helper()
	err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		events := make([]corehour.Event, n)
		for i := range events {
			events[i] = corehour.Event{Type: "exchange.test.happened.v1", Subject: "x", Data: []byte(`{}`)}
		}
		return Append(ctx, tx, corehour.ProducerExchange, events)
	})
	if err != nil {
		t.Fatal(err)
	}
}

package providers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// inbox is a Service with an exchange that the test speaks for.
type inbox struct {
	t        *testing.T
	db       *database.DB
	service  *Service
	sequence int64
}

func newInbox(t *testing.T, db *database.DB) *inbox {
	t.Helper()
	s, err := New(Config{DB: db, Logger: slog.New(slog.DiscardHandler), Recheck: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &inbox{t: t, db: db, service: s}
}

func leaseOf(id int, provider corehour.AccountID) corehour.Lease {
	return corehour.Lease{
		ID: corehour.LeaseID(id), Product: "cpu.standard", Bid: 3, Offer: 4, Consumer: "user-1", ConsumerOrg: "org-1",
		Provider: provider, ProviderOrg: "org-2", Region: "europe-north1", Units: 8, Start: 28_401_120, End: 28_401_180,
		Price: 53_462_000, Carbon: 92_590, SLA: corehour.SLAStandard, Interruptible: true, TakeOrPay: 1, Fee: 50,
		Hold: 427_696_000, MatchedAt: 1_704_067_200_000_001,
	}
}

// fact is an event of the exchange without its place in the feed.
func fact(t *testing.T, typ corehour.EventType, data any) corehour.Event {
	t.Helper()
	e, err := corehour.NewEvent(typ, 1, "", data)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func matched(t *testing.T, id int, provider corehour.AccountID) corehour.Event {
	return fact(t, corehour.EventLeaseMatched, corehour.LeaseMatched{Lease: leaseOf(id, provider), BidOpen: 5, Released: 7})
}

func changed(t *testing.T, typ corehour.EventType, id int) corehour.Event {
	return fact(t, typ, corehour.LeaseChanged{Lease: corehour.LeaseID(id)})
}

func ended(t *testing.T, id int, status corehour.LeaseStatus) corehour.Event {
	return fact(t, corehour.EventLeaseEnded, corehour.LeaseEnded{Lease: corehour.LeaseID(id), Status: status})
}

func settled(t *testing.T, id int) corehour.Event {
	return fact(t, corehour.EventLeaseSettled, corehour.LeaseSettled{Lease: corehour.LeaseID(id)})
}

// take numbers events and takes them in one transaction.
func (i *inbox) take(events ...corehour.Event) error {
	sequence := i.sequence
	for n := range events {
		sequence++
		events[n].Producer, events[n].Sequence = corehour.ProducerExchange, sequence
	}
	consumer := i.service.Consumer()
	err := i.db.Write(i.t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return consumer.Take(ctx, tx, events)
	})
	if err == nil {
		i.sequence = sequence
		consumer.Committed()
	}
	return err
}

func (i *inbox) mustTake(events ...corehour.Event) {
	i.t.Helper()
	if err := i.take(events...); err != nil {
		i.t.Fatal(err)
	}
}

// list is a provider's inbox as text: cursor lease status.
func (i *inbox) list(provider corehour.AccountID, after int64, limit int) string {
	i.t.Helper()
	page, err := i.service.Deliveries(i.t.Context(), provider, after, limit)
	if err != nil {
		i.t.Fatal(err)
	}
	var lines []string
	for _, d := range page {
		lines = append(lines, fmt.Sprintf("%d %s %s", d.Cursor, d.Lease.ID, d.Status))
	}
	return strings.Join(lines, ", ")
}

func (i *inbox) want(provider corehour.AccountID, want string) {
	i.t.Helper()
	if got := i.list(provider, 0, MaxPage); got != want {
		i.t.Errorf("%s has %q, want %q", provider, got, want)
	}
}

func TestDeliveries_LeaseGoesToItsProviderAsItWasMatched(t *testing.T) {
	t.Parallel()
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		i := newInbox(t, db)
		i.mustTake(fact(t, corehour.EventFeeSet, corehour.FeeSet{Fee: 5}), matched(t, 1, "north"), matched(t, 2, "south"))
		i.want("north", "2 lease-1 matched")
		i.want("south", "3 lease-2 matched")
		i.want("other", "")
		page, err := i.service.Deliveries(t.Context(), "north", 0, 1)
		if err != nil || len(page) != 1 || page[0].Lease != leaseOf(1, "north") {
			t.Errorf("have %+v, %v", page, err)
		}
	})
}

func TestDeliveries_StatusFollowsTheExchange(t *testing.T) {
	t.Parallel()
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		i := newInbox(t, db)
		i.mustTake(matched(t, 1, "north"), matched(t, 2, "north"), matched(t, 3, "north"))
		i.mustTake(changed(t, corehour.EventLeaseAccepted, 1), ended(t, 3, corehour.StatusFailed))
		i.want("north", "1 lease-1 provisioning, 2 lease-2 matched, 3 lease-3 failed")
		i.mustTake(changed(t, corehour.EventLeaseStarted, 1), changed(t, corehour.EventLeaseAccepted, 2))
		i.want("north", "1 lease-1 active, 2 lease-2 provisioning, 3 lease-3 failed")
		i.mustTake(ended(t, 1, corehour.StatusCompleted))
		i.mustTake(settled(t, 3), settled(t, 1))
		i.want("north", "1 lease-1 settled, 2 lease-2 provisioning, 3 lease-3 settled")
	})
}

func TestDeliveries_WholeLifeInOneBatchIsItsLastStatus(t *testing.T) {
	t.Parallel()
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		i := newInbox(t, db)
		i.mustTake(matched(t, 1, "north"), changed(t, corehour.EventLeaseAccepted, 1), changed(t, corehour.EventLeaseStarted, 1),
			matched(t, 2, "north"), ended(t, 1, corehour.StatusCompleted), changed(t, corehour.EventLeaseAccepted, 2))
		i.mustTake(settled(t, 1), changed(t, corehour.EventLeaseStarted, 2), ended(t, 2, corehour.StatusCompleted))
		i.want("north", "1 lease-1 settled, 4 lease-2 completed")
	})
}

func TestDeliveries_FullBatchesAreTakenAndPagedInOrder(t *testing.T) {
	t.Parallel()
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		i := newInbox(t, db)
		var match, accept []corehour.Event
		for id := 1; id <= corehour.MaxFeedEvents; id++ {
			match = append(match, matched(t, id, "north"))
			accept = append(accept, changed(t, corehour.EventLeaseAccepted, id))
		}
		i.mustTake(match...)
		i.mustTake(accept...)
		var seen []int64
		for after := int64(0); ; {
			page, err := i.service.Deliveries(t.Context(), "north", after, 200)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, d := range page {
				if d.Status != corehour.StatusProvisioning || int64(d.Lease.ID) != d.Cursor {
					t.Fatalf("have %+v", d)
				}
				after = d.Cursor
				seen = append(seen, d.Cursor)
			}
		}
		if len(seen) != corehour.MaxFeedEvents || !slices.IsSorted(seen) {
			t.Errorf("%d deliveries: %v", len(seen), seen)
		}
	})
}

func TestDeliveries_BrokenFeedChangesNothing(t *testing.T) {
	t.Parallel()
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		i := newInbox(t, db)
		i.mustTake(matched(t, 1, "north"))
		for name, broken := range map[string]corehour.Event{
			"never matched":  changed(t, corehour.EventLeaseAccepted, 9),
			"matched twice":  matched(t, 1, "south"),
			"unknown status": ended(t, 1, "vanished"),
			"no provider":    matched(t, 2, ""),
			"not JSON":       {Type: corehour.EventLeaseMatched, Data: []byte(`{"id":`)},
		} {
			if err := i.take(matched(t, 3, "north"), broken); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
		i.want("north", "1 lease-1 matched")
		i.want("south", "")
	})
}

func TestDeliveries_RefusesWhatIsNoPage(t *testing.T) {
	t.Parallel()
	i := newInbox(t, testenv.SQLite(t))
	for _, c := range []struct {
		provider corehour.AccountID
		after    int64
		limit    int
		field    string
	}{
		{"north", 0, 0, "limit"}, {"north", 0, MaxPage + 1, "limit"}, {"north", -1, 1, "after"}, {"no/name", 0, 1, "provider"},
	} {
		_, err := i.service.Deliveries(t.Context(), c.provider, c.after, c.limit)
		var e *corehour.Error
		if !errors.As(err, &e) || e.Kind != corehour.KindInvalid || e.Field != c.field {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := i.service.Wait(t.Context(), "north", -1); corehour.KindOf(err) != corehour.KindInvalid {
		t.Errorf("Wait: %v", err)
	}
}

func TestDeliveries_ComeOverTheBus(t *testing.T) {
	t.Parallel()
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		i := newInbox(t, db)
		b, err := bus.New(bus.Config{
			DB: db, Logger: slog.New(slog.DiscardHandler), Consumers: []bus.Consumer{i.service.Consumer()},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		ran := make(chan error, 1)
		go func() { ran <- b.Run(ctx) }()
		woken := make(chan error, 1)
		go func() { woken <- i.service.Wait(ctx, "north", 0) }()
		err = db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return bus.Append(ctx, tx, corehour.ProducerExchange,
				[]corehour.Event{matched(t, 1, "north"), changed(t, corehour.EventLeaseAccepted, 1)})
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Committed(corehour.ProducerExchange)
		if err := <-woken; err != nil || ctx.Err() != nil {
			t.Fatalf("Wait: %v, %v", err, ctx.Err())
		}
		i.want("north", "1 lease-1 provisioning")
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

func TestWait_ReturnsAtOnceWhenThereIsADelivery(t *testing.T) {
	t.Parallel()
	i := newInbox(t, testenv.SQLite(t))
	i.mustTake(matched(t, 1, "north"))
	if err := i.service.Wait(t.Context(), "north", 0); err != nil {
		t.Error(err)
	}
}

func TestWait_EndOfTheContextIsNoError(t *testing.T) {
	t.Parallel()
	i := newInbox(t, testenv.SQLite(t))
	i.mustTake(matched(t, 1, "north"))
	for _, end := range []func(context.Context) (context.Context, context.CancelFunc){
		context.WithCancel,
		func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Millisecond)
		},
	} {
		ctx, cancel := end(t.Context())
		done := make(chan error, 1)
		go func() { done <- i.service.Wait(ctx, "north", 1) }()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if i.service.waiting.calls != 0 || len(i.service.waiting.by) != 0 {
		t.Errorf("after the end %d calls wait for %v", i.service.waiting.calls, i.service.waiting.by)
	}
}

func TestWait_FailureOfTheDatabaseIsReported(t *testing.T) {
	t.Parallel()
	i := newInbox(t, testenv.SQLite(t))
	err := i.db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DROP TABLE providers_deliveries")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.service.Wait(t.Context(), "north", 0); corehour.KindOf(err) != corehour.KindInternal || err == nil {
		t.Errorf("Wait: %v", err)
	}
	if _, err := i.service.Deliveries(t.Context(), "north", 0, 1); corehour.KindOf(err) != corehour.KindInternal || err == nil {
		t.Errorf("Deliveries: %v", err)
	}
}

// TestWait_SeesWhatAnotherNodeTook lets one node take and another wait, so that
// only the recheck can find the delivery.
func TestWait_SeesWhatAnotherNodeTook(t *testing.T) {
	t.Parallel()
	taker := newInbox(t, testenv.SQLite(t))
	waiter, err := New(Config{DB: taker.db, Logger: slog.New(slog.DiscardHandler), Recheck: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- waiter.Wait(t.Context(), "north", 0) }()
	taker.mustTake(matched(t, 1, "north"))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWaiting_OnlyCommittedProvidersAreWoken(t *testing.T) {
	t.Parallel()
	w := newWaiting(2)
	north, ok := w.join("north")
	if !ok {
		t.Fatal("refused the first")
	}
	south, ok := w.join("south")
	if !ok {
		t.Fatal("refused the second")
	}
	if _, ok := w.join("east"); ok {
		t.Error("more than most may wait")
	}
	w.remember([]corehour.AccountID{"north", "east"})
	if len(north) != 0 {
		t.Error("woken before the commit")
	}
	w.wake()
	w.wake()
	if len(north) != 1 || len(south) != 0 {
		t.Errorf("woken: north %d, south %d", len(north), len(south))
	}
	w.leave("north", north)
	if _, ok := w.join("east"); !ok {
		t.Error("a place that was left is not given again")
	}
}

func TestWait_IsWokenByTheCommitOfItsProvidersLease(t *testing.T) {
	t.Parallel()
	i := newInbox(t, testenv.SQLite(t))
	woken, _ := i.service.waiting.join("north")
	i.mustTake(matched(t, 1, "south"))
	if len(woken) != 0 {
		t.Error("woken by another provider's lease")
	}
	i.mustTake(matched(t, 2, "north"))
	if len(woken) != 1 {
		t.Error("not woken by its own lease")
	}
}

func TestWait_BeyondTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	i := newInbox(t, testenv.SQLite(t))
	i.service.waiting = newWaiting(0)
	if err := i.service.Wait(t.Context(), "north", 0); corehour.KindOf(err) != corehour.KindLimited || corehour.CodeOf(err) != CodeTooManyWaiting {
		t.Errorf("have %v", err)
	}
}

func TestNew_RefusesAnIncompleteConfiguration(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	db := testenv.SQLite(t)
	for _, c := range []Config{{Logger: logger}, {DB: db}, {DB: db, Logger: logger, Recheck: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

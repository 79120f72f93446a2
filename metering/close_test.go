package metering_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/metering"
)

func mustFail(t *testing.T, err error, kind corehour.Kind, code corehour.Code, field string) {
	t.Helper()
	var e *corehour.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a corehour.Error", err)
	}
	if e.Kind != kind || e.Code != code || e.Field != field {
		t.Fatalf("got kind %d, code %s, field %q (%v), want %d, %s, %q", e.Kind, e.Code, e.Field, err, kind, code, field)
	}
}

// exec changes the database behind the service's back.
func (w *world) exec(statement string) {
	w.t.Helper()
	err := w.db.Write(w.ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestClose_TellsTheTotalsOnceAfterAllUsage(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.lease(8, prov)
		w.clock.set(at(150))
		mustBe(t, w.close(prov, 7), "lease_not_ended")
		mustBe(t, w.report(prov, rec("a", 7, 0, 60, cpu(4, 60)), rec("b", 7, 60, 70, 5), rec("c", 8, 0, 1, 1)),
			"accepted", "accepted", "accepted")
		w.take(w.ended(7, corehour.StatusCompleted, at(100)))
		mustBe(t, w.close(prov, 7, 8, 99, 7), "accepted", "lease_not_ended", "unknown_lease", "repeated")
		mustBe(t, w.close(prov, 7), "repeated")
		mustBe(t, w.report(prov, rec("d", 7, 80, 81, 1)), "usage_closed")

		feed := w.mustAgree()
		if c := feed[7].closed; c == nil || *c != (corehour.UsageClosed{Lease: 7, Records: 2, Used: cpu(4, 60) + 5}) {
			t.Errorf("closed with %+v", c)
		}
		if feed[8].closed != nil {
			t.Error("a running lease was closed")
		}
		events := w.feed()
		if last := events[len(events)-1]; last.Subject != "lease-7" || last.Time != at(150) {
			t.Errorf("the closing event is %+v", last)
		}
		if n := w.committed.Load(); n != 2 {
			t.Errorf("the bus was woken %d times", n)
		}
	})
}

// A lease that failed on its way has been used: its usage has the grace of any
// other. One that was never started waits for nothing.
func TestClose_FailedLeaseHasItsGraceOnlyIfItWasStarted(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		for id, status := range map[corehour.LeaseID]corehour.LeaseStatus{7: corehour.StatusFailed, 8: corehour.StatusInterrupted} {
			w.lease(id, prov)
			w.take(w.ended(id, status, at(70)))
		}
		w.take(w.matched(9, prov, 4, start, start.Add(150)), w.ended(9, corehour.StatusFailed, at(20)))
		w.clock.set(at(71))
		if n, err := w.service.CloseDue(w.ctx, 10); n != 1 || err != nil {
			t.Errorf("%d leases were due at once, %v; want the one that never ran", n, err)
		}
		mustBe(t, w.report(prov, rec("a", 7, 60, 70, 5), rec("b", 8, 60, 70, 5), rec("c", 9, 0, 1, 1), rec("d", 7, 60, 71, 5)),
			"accepted", "accepted", "usage_closed", "outside_lease")
		w.clock.set(at(70) + corehour.Instant(grace.Microseconds()))
		if n, err := w.service.CloseDue(w.ctx, 10); n != 2 || err != nil {
			t.Errorf("%d leases were due after the grace, %v; want both", n, err)
		}
	})
}

func TestClose_LeaseWithoutUsage(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.take(w.matched(8, prov, 1, start, start.Add(1)), w.ended(8, corehour.StatusFailed, at(0)))
		w.take(w.ended(7, corehour.StatusCompleted, at(0)))
		mustBe(t, w.close(prov, 7, 8), "accepted", "accepted")
		feed := w.mustAgree()
		for id := corehour.LeaseID(7); id <= 8; id++ {
			if c := feed[id].closed; c == nil || c.Records != 0 || c.Used != 0 {
				t.Errorf("%s: closed with %+v", id, c)
			}
		}
	})
}

func TestClose_WhatIsNoBatchIsRefusedWhole(t *testing.T) {
	w := newWorld(t, testenv.SQLite(t))
	_, err := w.service.Close(w.ctx, prov, nil)
	mustFail(t, err, corehour.KindInvalid, corehour.CodeInvalid, "leases")
	_, err = w.service.Close(w.ctx, prov, make([]corehour.LeaseID, metering.MaxBatch+1))
	mustFail(t, err, corehour.KindTooLarge, corehour.CodeTooManyItems, "leases")
	_, err = w.service.Close(w.ctx, "", make([]corehour.LeaseID, 1))
	mustFail(t, err, corehour.KindInvalid, corehour.CodeInvalid, "provider")
	for _, limit := range []int{-1, 0, metering.MaxBatch + 1} {
		_, err = w.service.CloseDue(w.ctx, limit)
		mustFail(t, err, corehour.KindInvalid, corehour.CodeInvalid, "limit")
	}
}

func TestCloseDue_WaitsForTheGraceAfterTheEnd(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.lease(8, other)
		w.take(w.ended(7, corehour.StatusCompleted, at(100)))
		due := at(100) + corehour.Instant(grace.Microseconds())
		w.clock.set(due - 1)
		mustBe(t, w.report(prov, rec("a", 7, 0, 10, 9)), "accepted")
		if n := w.closeDue(); n != 0 {
			t.Fatalf("%d were closed early", n)
		}
		w.clock.set(due)
		if n := w.closeDue(); n != 1 {
			t.Fatalf("%d were closed", n)
		}
		if n := w.closeDue(); n != 0 {
			t.Fatalf("%d were closed again", n)
		}
		mustBe(t, w.report(prov, rec("b", 7, 10, 20, 9)), "usage_closed")
		feed := w.mustAgree()
		if c := feed[7].closed; c == nil || c.Records != 1 || c.Used != 9 {
			t.Errorf("closed with %+v", c)
		}
		if w.usage(8).Closed {
			t.Error("a running lease was closed")
		}
	})
}

func TestCloseDue_WhatWasNeverDeliveredOrIsSettledWaitsForNothing(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		// A clock at the epoch: no grace could have passed.
		w.clock.set(0)
		w.take(w.matched(1, prov, 1, start, start.Add(60)), w.matched(2, prov, 1, start, start.Add(60)))
		w.take(w.started(2), w.ended(2, corehour.StatusCompleted, at(1)), w.settled(2))
		w.take(w.ended(1, corehour.StatusFailed, at(0)))
		if n := w.closeDue(); n != 2 {
			t.Errorf("%d were closed", n)
		}
		w.mustAgree()
	})
}

func TestCloseDue_KeepsToItsLimitTheLongestDueFirst(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		for id := corehour.LeaseID(1); id <= 5; id++ {
			provider := prov
			if id%2 == 0 {
				provider = other
			}
			w.lease(id, provider)
			w.take(w.ended(id, corehour.StatusCompleted, at(corehour.Instant(100-id))))
		}
		w.clock.set(at(10_000))
		for _, want := range []int{2, 2, 1, 0} {
			if n, err := w.service.CloseDue(w.ctx, 2); err != nil || n != want {
				t.Fatalf("got %d, %v, want %d", n, err, want)
			}
		}
		var order []string
		for _, e := range w.feed() {
			order = append(order, e.Subject)
		}
		if got, _ := json.Marshal(order); string(got) != `["lease-5","lease-4","lease-3","lease-2","lease-1"]` {
			t.Errorf("closed in the order %s", got)
		}
	})
}

func TestConsumer_RepeatsAndForeignEventsChangeNothing(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		events := []corehour.Event{
			w.event(corehour.EventAccountOpened, "prov", corehour.AccountOpened{Account: prov}),
			w.matched(7, prov, 4, start, start.Add(150)),
			w.event(corehour.EventLeaseAccepted, "lease-7", corehour.LeaseChanged{Lease: 7}),
			w.started(7),
			w.ended(7, corehour.StatusCompleted, at(90)),
		}
		w.take(events...)
		before := w.usage(7)
		if before.Status != corehour.StatusCompleted || before.EndedAt == nil || *before.EndedAt != at(90) {
			t.Fatalf("usage is %+v", before)
		}
		w.take(w.matched(7, other, 9, start, start.Add(10))) // cannot be, and must not overwrite
		w.take(events...)
		for i := range events {
			w.take(events[i])
		}
		after := w.usage(7)
		if after.Status != before.Status || *after.EndedAt != *before.EndedAt || after.Provider != prov || after.Units != 4 {
			t.Errorf("repeats changed %+v to %+v", before, after)
		}
		w.close(prov, 7)
		w.take(w.settled(7))
		w.take(events...)
		if u := w.usage(7); u.Status != corehour.StatusSettled || !u.Closed {
			t.Errorf("repeats reopened the lease: %+v", u)
		}
		if n := w.closeDue(); n != 0 {
			t.Errorf("%d were closed again", n)
		}
	})
}

func TestConsumer_BrokenFeedIsAnErrorAndHasNoEffect(t *testing.T) {
	w := newWorld(t, testenv.SQLite(t))
	whole := w.started(7)
	broken := corehour.Event{
		Producer: whole.Producer, Sequence: whole.Sequence, Type: whole.Type, Subject: whole.Subject, Data: json.RawMessage(`{"lease":7}`),
	}
	for name, event := range map[string]corehour.Event{
		"started but never matched": w.started(8),
		"ended but never matched":   w.ended(8, corehour.StatusCompleted, at(1)),
		"settled but never matched": w.settled(8),
		"not its type's data":       broken,
		"ended without an end":      w.ended(7, corehour.StatusActive, at(1)),
	} {
		if err := w.tryTake(w.matched(7, prov, 4, start, start.Add(150)), event); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := w.service.LeaseUsage(w.ctx, 7); corehour.CodeOf(err) != corehour.CodeUnknownLease {
			t.Errorf("%s: the events before it had an effect: %v", name, err)
		}
	}
}

func TestConsumer_FollowsTheExchangeOnTheBus(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		b, err := bus.New(bus.Config{
			DB: w.db, Logger: slog.New(slog.DiscardHandler), Consumers: []bus.Consumer{w.service.Consumer()},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(w.ctx)
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		events := []corehour.Event{
			w.matched(7, prov, 4, start, start.Add(150)), w.started(7), w.ended(7, corehour.StatusCompleted, at(90)),
		}
		err = w.db.Write(w.ctx, func(ctx context.Context, tx *sql.Tx) error {
			return bus.Append(ctx, tx, corehour.ProducerExchange, events)
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Committed(corehour.ProducerExchange)
		waiting, stop := context.WithTimeout(w.ctx, 30*time.Second)
		defer stop()
		if err := b.WaitFor(waiting, metering.ConsumerName, corehour.ProducerExchange, 3); err != nil {
			t.Fatal(err)
		}
		if u := w.usage(7); u.Status != corehour.StatusCompleted || *u.EndedAt != at(90) {
			t.Errorf("usage is %+v", u)
		}
		cancel()
		if err := await(t, done, "the end of the bus"); err != nil {
			t.Error(err)
		}
	})
}

// signals is a log handler that tells of each error.
type signals struct {
	slog.Handler
	errors chan string
}

func (s signals) Enabled(context.Context, slog.Level) bool { return true }

func (s signals) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelError {
		s.errors <- r.Message
	}
	return nil
}

func TestRun_ClosesAfterConsumedEventsAndTriesAgainAfterAFailure(t *testing.T) {
	w := newWorld(t, testenv.SQLite(t))
	announced := make(chan struct{}, 10)
	failed := make(chan string, 10)
	// The ticker of an hour never comes: only the consumer's call wakes Run.
	w.service = w.node(func(c *metering.Config) {
		c.Committed = func() { announced <- struct{}{} }
		c.Logger = slog.New(signals{slog.DiscardHandler, failed})
	})
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- w.service.Run(ctx) }()

	w.take(w.matched(1, prov, 1, start, start.Add(60)), w.ended(1, corehour.StatusFailed, at(0)))
	await(t, announced, "the closing of lease-1")
	w.exec(`ALTER TABLE usage_hours RENAME TO usage_hours_away`)
	w.take(w.matched(2, prov, 1, start, start.Add(60)), w.ended(2, corehour.StatusFailed, at(0)))
	await(t, failed, "the logged failure")
	w.exec(`ALTER TABLE usage_hours_away RENAME TO usage_hours`)
	w.take(w.matched(3, prov, 1, start, start.Add(60)))
	await(t, announced, "the closing of lease-2")
	cancel()
	if err := await(t, done, "the end of Run"); err != nil {
		t.Error(err)
	}
	if feed := w.mustAgree(); feed[1].closed == nil || feed[2].closed == nil {
		t.Error("a lease was not closed")
	}
}

func TestRun_ClosesAtItsInterval(t *testing.T) {
	w := newWorld(t, testenv.SQLite(t))
	w.lease(1, prov)
	w.take(w.ended(1, corehour.StatusCompleted, at(10)))
	announced := make(chan struct{}, 10)
	node := w.node(func(c *metering.Config) {
		c.Committed = func() { announced <- struct{}{} }
		c.CloseEvery = time.Millisecond
	})
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	w.clock.set(at(10_000))
	await(t, announced, "the closing of lease-1")
	cancel()
	await(t, done, "the end of Run")
	w.mustAgree()
}

// await receives, or fails after a time in which a loaded machine gets anything done.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

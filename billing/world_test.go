package billing

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// january is the first minute of 2024.
var january = mustPeriod("2024-01").Start()

func mustPeriod(s string) Period {
	p, err := ParsePeriod(s)
	if err != nil {
		panic(err)
	}
	return p
}

// testClock is a clock that tests move.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) set(m corehour.Minute) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = m.Time()
}

// world is a billing service between a model of the exchange and a metering
// feed. The model keeps funds like the real state machine, so that the ledger can
// be compared with it; what it publishes waits until a test delivers it.
type world struct {
	t       testing.TB
	ctx     context.Context
	db      *database.DB
	clock   *testClock
	service *Service
	issued  int // calls of Committed

	funds    map[corehour.AccountID]*Funds
	leases   map[corehour.LeaseID]*modelLease
	nextID   uint64
	exchange feed
	metering feed

	// What the model does to what billing asks.
	down      bool
	refuse    map[corehour.LeaseID]corehour.Code
	submitted []Charge
	calls     int
}

type modelLease struct {
	corehour.Lease
	charges      []Charge
	charged, fee corehour.Money
	settled      bool
}

// feed is one producer's events and how many of them billing has taken.
type feed struct {
	producer corehour.Producer
	events   []corehour.Event
	taken    int
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	w := &world{
		t: t, ctx: context.Background(), db: db, clock: &testClock{now: january.Time()},
		funds: make(map[corehour.AccountID]*Funds), leases: make(map[corehour.LeaseID]*modelLease),
		exchange: feed{producer: corehour.ProducerExchange}, metering: feed{producer: corehour.ProducerMetering},
		refuse: make(map[corehour.LeaseID]corehour.Code),
	}
	events, err := bus.New(bus.Config{DB: db, Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
	w.must(events.Migrate(w.ctx))
	w.service = w.newService()
	w.must(w.service.Migrate(w.ctx))
	return w
}

// newService is another service on the same database, as after a restart.
func (w *world) newService() *Service {
	s, err := New(Config{
		DB: w.db, Clock: w.clock, Exchange: w, Committed: func() { w.issued++ },
		Logger: slog.New(slog.DiscardHandler), Interval: time.Millisecond,
	})
	w.must(err)
	return s
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) publish(f *feed, typ corehour.EventType, subject string, data any) {
	w.t.Helper()
	e, err := corehour.NewEvent(typ, corehour.InstantOf(w.clock.Now()), subject, data)
	w.must(err)
	e.Producer, e.Sequence = f.producer, int64(len(f.events))+1
	f.events = append(f.events, e)
}

// open opens an account and deposits into it.
func (w *world) open(id corehour.AccountID, name string, amount corehour.Money) {
	w.funds[id] = &Funds{Account: id, Available: amount}
	w.publish(&w.exchange, corehour.EventAccountOpened, string(id),
		corehour.AccountOpened{Account: id, Org: corehour.OrgID("org-" + string(id)), Name: name})
	if amount > 0 {
		w.publish(&w.exchange, corehour.EventFundsDeposited, string(id),
			corehour.FundsMoved{Account: id, Amount: amount, Reference: "in-" + string(id)})
	}
}

// match places a bid and fills it at once: a lease like the template, with an id
// and a hold.
func (w *world) match(l corehour.Lease) corehour.LeaseID {
	w.nextID++
	l.ID, l.Bid, l.Offer = corehour.LeaseID(w.nextID), corehour.BidID(w.nextID), corehour.OfferID(w.nextID)
	l.ConsumerOrg, l.ProviderOrg = "org-"+corehour.OrgID(l.Consumer), "org-"+corehour.OrgID(l.Provider)
	l.SLA = corehour.SLABasic
	l.Hold = corehour.Cost(l.Price, l.Units, l.End.Sub(l.Start))
	l.MatchedAt = corehour.InstantOf(w.clock.Now())
	// The bid's limit was above the price, so part of its hold comes back.
	surplus := corehour.Money(1_234_567)
	f := w.funds[l.Consumer]
	f.Available -= l.Hold + surplus
	f.Held += l.Hold + surplus
	w.publish(&w.exchange, corehour.EventBidPlaced, l.Bid.String(), corehour.BidPlaced{
		Bid:  corehour.Bid{ID: l.Bid, Consumer: l.Consumer, MinSLA: corehour.SLABasic, TimeInForce: corehour.GoodTillCancelled},
		Hold: l.Hold + surplus,
	})
	f.Available += surplus
	f.Held -= surplus
	w.publish(&w.exchange, corehour.EventLeaseMatched, l.ID.String(), corehour.LeaseMatched{Lease: l, Released: surplus})
	w.leases[l.ID] = &modelLease{Lease: l}
	return l.ID
}

// end ends delivery at an instant.
func (w *world) end(id corehour.LeaseID, status corehour.LeaseStatus, at corehour.Instant) {
	l := w.leases[id]
	w.publish(&w.exchange, corehour.EventLeaseEnded, id.String(), corehour.LeaseEnded{
		Lease: id, Provider: l.Provider, Consumer: l.Consumer, Status: status, EndedAt: at, FreeFrom: at.CeilMinute(),
	})
}

// use publishes a usage record for the lease-hour that begins so many hours in.
func (w *world) use(id corehour.LeaseID, hour int, used corehour.CPUTime) {
	l := w.leases[id]
	begins := l.Start.Add(corehour.Minutes(hour) * corehour.MinutesPerHour)
	w.publish(&w.metering, corehour.EventUsageAccepted, id.String(), corehour.UsageAccepted{
		Provider: l.Provider, RecordID: "r", Lease: id, From: begins.Instant(), To: begins.Instant() + 1, Hour: begins, Used: used,
	})
}

func (w *world) closeUsage(id corehour.LeaseID) {
	w.publish(&w.metering, corehour.EventUsageClosed, id.String(), corehour.UsageClosed{Lease: id})
}

// PostCharges is the exchange's side of Exchange, with its rules.
func (w *world) PostCharges(_ context.Context, charges []Charge) error {
	w.calls++
	if w.down {
		return corehour.Errorf(corehour.KindUnavailable, corehour.CodeUnavailable, "the log is not there")
	}
	for _, c := range charges {
		if code := w.refuse[c.Lease]; code != "" {
			return corehour.Errorf(corehour.KindRejected, code, "refused")
		}
		w.submitted = append(w.submitted, c)
		l := w.leases[c.Lease]
		switch {
		case l == nil:
			return corehour.Errorf(corehour.KindRejected, corehour.CodeUnknownLease, "no such lease")
		case c.Number <= int64(len(l.charges)):
			if l.charges[c.Number-1] != c {
				return corehour.Errorf(corehour.KindRejected, corehour.CodeKeyReused, "another charge has this number")
			}
			continue
		case c.Number != int64(len(l.charges))+1:
			return corehour.Errorf(corehour.KindRejected, "charge_out_of_order", "%s %d", c.Lease, c.Number)
		case l.charged+c.Amount > l.Hold:
			return corehour.Errorf(corehour.KindRejected, "charge_exceeds_hold", "%s %d", c.Lease, c.Number)
		}
		l.charges = append(l.charges, c)
		l.charged += c.Amount
		// The fee of a lease is the share of all that was charged; each charge pays
		// the difference.
		fee := l.charged.Share(l.Fee) - l.fee
		l.fee += fee
		w.funds[l.Consumer].Held -= c.Amount
		w.funds[l.Provider].Available += c.Amount - fee
		w.publish(&w.exchange, corehour.EventChargePosted, c.Lease.String(), corehour.ChargePosted{
			Lease: c.Lease, Consumer: l.Consumer, Provider: l.Provider, Number: c.Number,
			Kind: c.Kind, Hour: c.Hour, Amount: c.Amount, Fee: fee,
		})
	}
	return nil
}

// SettleLeases is the exchange's side of Exchange, with its rules.
func (w *world) SettleLeases(_ context.Context, leases []Settlement) error {
	w.calls++
	if w.down {
		return corehour.Errorf(corehour.KindUnavailable, corehour.CodeUnavailable, "the log is not there")
	}
	for _, x := range leases {
		l := w.leases[x.Lease]
		if x.Charges != int64(len(l.charges)) {
			return corehour.Errorf(corehour.KindRejected, "charge_out_of_order", "%s has %d charges", x.Lease, len(l.charges))
		}
		if l.settled {
			continue
		}
		l.settled = true
		released := l.Hold - l.charged
		w.funds[l.Consumer].Held -= released
		w.funds[l.Consumer].Available += released
		w.publish(&w.exchange, corehour.EventLeaseSettled, x.Lease.String(), corehour.LeaseSettled{
			Lease: x.Lease, Consumer: l.Consumer, Provider: l.Provider,
			Charges: x.Charges, Charged: l.charged, Fee: l.fee, Released: released,
		})
	}
	return nil
}

// deliver lets billing take up to n events of a feed in one transaction.
func (w *world) deliver(f *feed, n int) {
	w.t.Helper()
	n = min(n, len(f.events)-f.taken, corehour.MaxFeedEvents)
	if n == 0 {
		return
	}
	w.must(w.db.Write(w.ctx, func(ctx context.Context, tx *sql.Tx) error {
		return w.service.take(ctx, tx, f.events[f.taken:f.taken+n])
	}))
	f.taken += n
}

// deliverAll delivers what is in both feeds, the exchange's first.
func (w *world) deliverAll() {
	w.t.Helper()
	for _, f := range []*feed{&w.exchange, &w.metering} {
		for f.taken < len(f.events) {
			w.deliver(f, corehour.MaxFeedEvents)
		}
	}
}

// run delivers and dispatches until nothing happens any more.
func (w *world) run() {
	w.t.Helper()
	d := newDispatcher(w.service)
	for {
		w.deliverAll()
		calls := w.calls
		d.pass(w.ctx)
		if w.calls == calls && w.exchange.taken == len(w.exchange.events) {
			return
		}
	}
}

// allFunds yields what the model's state machine would.
func (w *world) allFunds(yield func(Funds) bool) {
	for _, id := range slices.Sorted(maps.Keys(w.funds)) {
		if !yield(*w.funds[id]) {
			return
		}
	}
}

// checkBooks fails unless the ledger is sound and agrees with the model.
func (w *world) checkBooks() {
	w.t.Helper()
	sum, err := w.service.Sum(w.ctx)
	w.must(err)
	if sum != 0 {
		w.t.Errorf("the ledger sums to %s", sum)
	}
	findings, err := w.service.VerifyLedger(w.ctx)
	w.must(err)
	if len(findings) > 0 {
		w.t.Errorf("the ledger is not sound: %v", findings)
	}
	differences, err := w.service.Proof(w.ctx, w.allFunds)
	w.must(err)
	if len(differences) > 0 {
		w.t.Errorf("the ledger differs from the exchange: %v", differences)
	}
}

// exec changes the database behind the service's back.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	w.must(w.db.Write(w.ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	}))
}

// number reads one integer.
func (w *world) number(query string, args ...any) int64 {
	w.t.Helper()
	var n int64
	w.must(w.db.Reader().QueryRowContext(w.ctx, query, args...).Scan(&n))
	return n
}

// billingEvents are what billing has published.
func (w *world) billingEvents() []corehour.Event {
	w.t.Helper()
	events, err := bus.Read(w.ctx, w.db.Reader(), corehour.ProducerBilling, 0, corehour.MaxFeedEvents)
	w.must(err)
	return events
}

func decodeAs[T any](w *world, e corehour.Event) T {
	w.t.Helper()
	var v T
	w.must(json.Unmarshal(e.Data, &v))
	return v
}

// standardLease is a template: 2 units for 2.5 hours at 0.0337 a unit-hour.
func standardLease(consumer, provider corehour.AccountID) corehour.Lease {
	return corehour.Lease{
		Product: "cpu.standard", Region: "europe-north1", Consumer: consumer, Provider: provider,
		Units: 2, Start: january.Add(600), End: january.Add(750), Price: 33_700_000, Carbon: 57_300, Fee: 250,
	}
}

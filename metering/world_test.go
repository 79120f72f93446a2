package metering_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/metering"
)

const (
	minute = corehour.MicrosPerMinute
	grace  = 2 * time.Hour
	// start of most leases: 2024-01-01T00:30Z, not a full hour of the wall clock.
	start = corehour.Minute(28_401_150)
	prov  = corehour.AccountID("prov")
	other = corehour.AccountID("other")
)

func at(minutes corehour.Instant) corehour.Instant { return start.Instant() + minutes*minute }

func cpu(units, minutes int64) corehour.CPUTime {
	return corehour.CPUTime(units * minutes * int64(minute))
}

// testClock stands still until it is set.
type testClock struct{ micros atomic.Int64 }

func (c *testClock) Now() time.Time          { return time.UnixMicro(c.micros.Load()) }
func (c *testClock) set(at corehour.Instant) { c.micros.Store(int64(at)) }
func (c *testClock) now() corehour.Instant   { return corehour.Instant(c.micros.Load()) }

// world is metering with an exchange that the test speaks for.
type world struct {
	t         testing.TB
	ctx       context.Context
	db        *database.DB
	clock     *testClock
	service   *metering.Service
	committed atomic.Int64
	mu        sync.Mutex
	sequence  int64 // of the exchange's feed
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), db: db, clock: &testClock{}}
	w.clock.set(at(0))
	b, err := bus.New(bus.Config{DB: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Migrate(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.service = w.node(nil)
	if err := w.service.Migrate(w.ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

// node is one more service on the same database.
func (w *world) node(change func(*metering.Config)) *metering.Service {
	w.t.Helper()
	c := metering.Config{
		DB: w.db, Clock: w.clock, Grace: grace, CloseEvery: time.Hour,
		Committed: func() { w.committed.Add(1) }, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	s, err := metering.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// event is a fact of the exchange.
func (w *world) event(typ corehour.EventType, subject string, data any) corehour.Event {
	e, err := corehour.NewEvent(typ, w.clock.now(), subject, data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sequence++
	e.Producer, e.Sequence = corehour.ProducerExchange, w.sequence
	return e
}

func (w *world) matched(id corehour.LeaseID, provider corehour.AccountID, units corehour.Units, from, to corehour.Minute) corehour.Event {
	return w.event(corehour.EventLeaseMatched, id.String(), corehour.LeaseMatched{Lease: corehour.Lease{
		ID: id, Product: "cpu.standard", Bid: 1, Offer: 2, SLA: corehour.SLABasic, Provider: provider, ProviderOrg: corehour.OrgID(provider) + "-org",
		Consumer: "cons", ConsumerOrg: "cons-org", Units: units, Start: from, End: to,
	}})
}

func (w *world) started(id corehour.LeaseID) corehour.Event {
	return w.event(corehour.EventLeaseStarted, id.String(), corehour.LeaseChanged{Lease: id})
}

func (w *world) ended(id corehour.LeaseID, status corehour.LeaseStatus, at corehour.Instant) corehour.Event {
	return w.event(corehour.EventLeaseEnded, id.String(), corehour.LeaseEnded{
		Lease: id, Status: status, EndedAt: at, FreeFrom: at.CeilMinute(),
	})
}

func (w *world) settled(id corehour.LeaseID) corehour.Event {
	return w.event(corehour.EventLeaseSettled, id.String(), corehour.LeaseSettled{Lease: id})
}

// take hands events to metering the way the bus does.
func (w *world) take(events ...corehour.Event) {
	w.t.Helper()
	if err := w.tryTake(events...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tryTake(events ...corehour.Event) error {
	c := w.service.Consumer()
	err := w.db.Write(w.ctx, func(ctx context.Context, tx *sql.Tx) error { return c.Take(ctx, tx, events) })
	if err == nil {
		c.Committed()
	}
	return err
}

// lease makes a running lease of 4 units and 150 minutes.
func (w *world) lease(id corehour.LeaseID, provider corehour.AccountID) {
	w.t.Helper()
	w.take(w.matched(id, provider, 4, start, start.Add(150)), w.started(id))
}

func (w *world) report(provider corehour.AccountID, records ...metering.Record) []metering.Result {
	w.t.Helper()
	results, err := w.service.Report(w.ctx, provider, records)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(results) != len(records) {
		w.t.Fatalf("%d results for %d records", len(results), len(records))
	}
	for i := range results {
		if results[i].RecordID != records[i].RecordID || results[i].Lease != records[i].Lease {
			w.t.Fatalf("result %d is about %s of %s, not about %s of %s", i,
				results[i].RecordID, results[i].Lease, records[i].RecordID, records[i].Lease)
		}
	}
	return results
}

func (w *world) close(provider corehour.AccountID, leases ...corehour.LeaseID) []metering.Result {
	w.t.Helper()
	results, err := w.service.Close(w.ctx, provider, leases)
	if err != nil {
		w.t.Fatal(err)
	}
	return results
}

func (w *world) closeDue() int {
	w.t.Helper()
	n, err := w.service.CloseDue(w.ctx, metering.MaxBatch)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) usage(id corehour.LeaseID) metering.Usage {
	w.t.Helper()
	u, err := w.service.LeaseUsage(w.ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// feed is metering's whole outbox.
func (w *world) feed() []corehour.Event {
	w.t.Helper()
	var all []corehour.Event
	for {
		page, err := bus.Read(w.ctx, w.db.Reader(), corehour.ProducerMetering, int64(len(all)), corehour.MaxFeedEvents)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// leaseFeed is what metering's feed says about one lease.
type leaseFeed struct {
	records map[string]corehour.UsageAccepted
	used    corehour.CPUTime
	closed  *corehour.UsageClosed
}

// readFeed sums up a feed per lease and finds what may never stand in one: a
// gap, a record twice, two closings, usage after closing, wrong totals.
func readFeed(events []corehour.Event) (map[corehour.LeaseID]*leaseFeed, error) {
	leases := map[corehour.LeaseID]*leaseFeed{}
	seen := map[string]bool{}
	of := func(id corehour.LeaseID) *leaseFeed {
		if leases[id] == nil {
			leases[id] = &leaseFeed{records: map[string]corehour.UsageAccepted{}}
		}
		return leases[id]
	}
	for i, e := range events {
		if e.Sequence != int64(i)+1 {
			return nil, fmt.Errorf("event %d has sequence %d", i+1, e.Sequence)
		}
		switch e.Type {
		case corehour.EventUsageAccepted:
			var u corehour.UsageAccepted
			if err := json.Unmarshal(e.Data, &u); err != nil {
				return nil, err
			}
			l := of(u.Lease)
			name := string(u.Provider) + "/" + u.RecordID
			if seen[name] {
				return nil, fmt.Errorf("%s: record %s comes twice", e.ID(), name)
			}
			if l.closed != nil {
				return nil, fmt.Errorf("%s: usage of %s after it was closed", e.ID(), u.Lease)
			}
			seen[name] = true
			l.records[u.RecordID] = u
			l.used += u.Used
		case corehour.EventUsageClosed:
			var c corehour.UsageClosed
			if err := json.Unmarshal(e.Data, &c); err != nil {
				return nil, err
			}
			l := of(c.Lease)
			if l.closed != nil {
				return nil, fmt.Errorf("%s: %s is closed twice", e.ID(), c.Lease)
			}
			if c.Records != int64(len(l.records)) || c.Used != l.used {
				return nil, fmt.Errorf("%s: %s is closed with %d records and %d us after %d records and %d us",
					e.ID(), c.Lease, c.Records, c.Used, len(l.records), l.used)
			}
			l.closed = &c
		default:
			return nil, fmt.Errorf("%s: unexpected type %s", e.ID(), e.Type)
		}
	}
	return leases, nil
}

// mustAgree holds the feed, the hours and the records of all leases in the feed
// against one another, and returns the feed per lease.
func (w *world) mustAgree() map[corehour.LeaseID]*leaseFeed {
	w.t.Helper()
	leases, err := readFeed(w.feed())
	if err != nil {
		w.t.Fatal(err)
	}
	var records int64
	var used corehour.CPUTime
	for id, l := range leases {
		u := w.usage(id)
		if u.Records != int64(len(l.records)) || u.Used != l.used || u.Closed != (l.closed != nil) {
			w.t.Fatalf("%s: hours say %d records, %d us, closed %t; the feed %d, %d us, %t", id,
				u.Records, u.Used, u.Closed, len(l.records), l.used, l.closed != nil)
		}
		w.hoursMustAgree(u, l)
		if stored := w.records(id); len(stored) != len(l.records) {
			w.t.Fatalf("%s: %d records are stored, %d are in the feed", id, len(stored), len(l.records))
		}
		records += u.Records
		used += u.Used
	}
	totalRecords, totalUsed, err := w.service.Totals(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	if totalRecords != records || totalUsed != used {
		w.t.Fatalf("totals are %d records, %d us; the leases sum up to %d, %d us", totalRecords, totalUsed, records, used)
	}
	return leases
}

func (w *world) hoursMustAgree(u metering.Usage, l *leaseFeed) {
	w.t.Helper()
	hours := map[corehour.Minute]corehour.CPUTime{}
	for _, r := range l.records {
		hours[r.Hour] += r.Used
	}
	if len(hours) != len(u.Hours) {
		w.t.Fatalf("%s: %d hours are stored, %d are in the feed", u.Lease, len(u.Hours), len(hours))
	}
	for i, h := range u.Hours {
		if h.Used != hours[h.Hour] {
			w.t.Fatalf("%s, hour %s: %d us are stored, %d us are in the feed", u.Lease, h.Hour, h.Used, hours[h.Hour])
		}
		if i > 0 && u.Hours[i-1].Hour >= h.Hour {
			w.t.Fatalf("%s: hours out of order", u.Lease)
		}
	}
}

// records reads all records of a lease, page by page.
func (w *world) records(id corehour.LeaseID) []metering.RecordView {
	w.t.Helper()
	var all []metering.RecordView
	var after int64
	for {
		page, err := w.service.Records(w.ctx, id, after, metering.MaxPage)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range page {
			if r.Sequence <= after {
				w.t.Fatalf("record %s has sequence %d after %d", r.RecordID, r.Sequence, after)
			}
			after = r.Sequence
		}
		all = append(all, page...)
		if len(page) < metering.MaxPage {
			return all
		}
	}
}

package billing

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

type drawnRecord struct {
	lease corehour.LeaseID
	hour  int
	used  corehour.CPUTime
}

// drawLeases matches some random leases and draws the records of their use, in
// random order and cut up at random.
func drawLeases(r *rapid.T, w *world) (leases []corehour.LeaseID, records []drawnRecord) {
	for range rapid.IntRange(1, 4).Draw(r, "leases") {
		l := standardLease("acme", rapid.SampledFrom([]corehour.AccountID{"norge", "iberia"}).Draw(r, "provider"))
		l.Units = corehour.Units(rapid.IntRange(1, 40).Draw(r, "units"))
		l.Price = corehour.Price(rapid.Int64Range(1, 900_000).Draw(r, "ticks")) * corehour.Tick
		l.Start = january.Add(corehour.Minutes(rapid.IntRange(0, 40*24*60).Draw(r, "start")))
		minutes := corehour.Minutes(rapid.IntRange(1, 400).Draw(r, "minutes"))
		l.End = l.Start.Add(minutes)
		l.Fee = corehour.BasisPoints(rapid.IntRange(0, 10_000).Draw(r, "fee"))
		l.TakeOrPay = rapid.SampledFrom([]corehour.BasisPoints{0, 0, 3_333, 10_000}).Draw(r, "takeOrPay")
		id := w.match(l)
		leases = append(leases, id)
		for h := 0; corehour.Minutes(h)*60 < minutes; h++ {
			left := corehour.Capacity(l.Units, min(60, minutes-corehour.Minutes(h)*60))
			for range rapid.IntRange(0, 5).Draw(r, "records") {
				used := corehour.CPUTime(rapid.Int64Range(0, int64(left)).Draw(r, "used"))
				left -= used
				records = append(records, drawnRecord{id, h, used})
			}
		}
	}
	return leases, rapid.Permutation(records).Draw(r, "order")
}

// deliverMixed delivers both feeds in random batches and in a random order
// between them, dispatching in between.
func deliverMixed(r *rapid.T, w *world) {
	d := newDispatcher(w.service)
	for w.exchange.taken < len(w.exchange.events) || w.metering.taken < len(w.metering.events) {
		f := rapid.SampledFrom([]*feed{&w.exchange, &w.metering}).Draw(r, "feed")
		w.deliver(f, rapid.IntRange(1, 12).Draw(r, "batch"))
		if rapid.Bool().Draw(r, "dispatch") {
			d.pass(w.ctx)
		}
	}
	w.run()
}

// TestRating_AnyOrderBillsEachHourExactly is the promise of this package: however
// the use arrives, every hour is billed at exactly its cost, the ledger balances
// and the invoices sum up to the charges.
func TestRating_AnyOrderBillsEachHourExactly(t *testing.T) {
	db := testenv.SQLite(t)
	w := newWorld(t, db)
	for _, account := range []corehour.AccountID{"acme", "norge", "iberia"} {
		w.open(account, string(account), 900_000_000*corehour.NanoPerUnit)
	}
	w.clock.set(mustPeriod("2024-03").End())
	rapid.Check(t, func(r *rapid.T) {
		leases, records := drawLeases(r, w)
		used := make(map[hourKey]corehour.CPUTime)
		for _, rec := range records {
			w.use(rec.lease, rec.hour, rec.used)
			used[hourKey{rec.lease, w.leases[rec.lease].Start.Add(corehour.Minutes(rec.hour) * 60)}] += rec.used
		}
		for _, id := range leases {
			status := rapid.SampledFrom([]corehour.LeaseStatus{corehour.StatusCompleted, corehour.StatusFailed}).Draw(r, "status")
			w.end(id, status, w.leases[id].End.Instant())
			w.closeUsage(id)
		}
		deliverMixed(r, w)
		checkHours(r, w, leases, used)
		if idle, err := w.service.Idle(w.ctx); err != nil || !idle {
			r.Fatalf("not idle: %v %v", idle, err)
		}
		checkIssuedSums(r, w)
	})
	w.checkBooks()
}

func checkHours(r *rapid.T, w *world, leases []corehour.LeaseID, used map[hourKey]corehour.CPUTime) {
	for _, id := range leases {
		l := w.leases[id]
		billed := make(map[corehour.Minute]map[corehour.ChargeKind]corehour.Money)
		for _, c := range l.charges {
			if billed[c.Hour] == nil {
				billed[c.Hour] = make(map[corehour.ChargeKind]corehour.Money)
			}
			billed[c.Hour][c.Kind] += c.Amount
		}
		failed := w.number(`SELECT COUNT(*) FROM billing_progress WHERE lease_id = $1 AND status = 'failed'`, int64(id)) == 1
		for begins := l.Start; begins < l.End; begins = begins.Add(60) {
			want := corehour.UsageCost(l.Price, used[hourKey{id, begins}])
			if have := billed[begins][corehour.ChargeUsage]; have != want {
				r.Fatalf("%s hour %s: usage billed %s, want %s", id, begins, have, want)
			}
			minimum := corehour.Cost(l.Price, l.Units, min(60, l.End.Sub(begins))).Share(l.TakeOrPay)
			if failed {
				minimum = 0
			}
			if have := billed[begins][corehour.ChargeTakeOrPay]; have != max(0, minimum-want) {
				r.Fatalf("%s hour %s: take-or-pay billed %s, want %s", id, begins, have, max(0, minimum-want))
			}
		}
	}
}

func checkIssuedSums(r *rapid.T, w *world) {
	if _, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-03")); err != nil {
		r.Fatal(err)
	}
	if _, err := w.service.IssueStatements(w.ctx, mustPeriod("2024-03")); err != nil {
		r.Fatal(err)
	}
	totals, err := w.service.Totals(w.ctx)
	if err != nil {
		r.Fatal(err)
	}
	if totals.InvoiceTotal != totals.Billed {
		r.Fatalf("invoices sum to %s, charges to %s", totals.InvoiceTotal, totals.Billed)
	}
	for _, verify := range []func() ([]Finding, error){
		func() ([]Finding, error) { return w.service.VerifyInvoices(w.ctx) },
		func() ([]Finding, error) { return w.service.VerifyStatements(w.ctx) },
	} {
		if findings, err := verify(); err != nil || len(findings) > 0 {
			r.Fatalf("documents are not sound: %v %v", findings, err)
		}
	}
}

// chargesOf writes down everything that was rated.
func chargesOf(w *world) string {
	rows, err := w.db.Reader().QueryContext(w.ctx,
		`SELECT lease_id, number, kind, hour, cpu_us, amount, fee FROM billing_charges ORDER BY lease_id, number`)
	w.must(err)
	defer rows.Close()
	text := ""
	for rows.Next() {
		var lease, number, hour, cpu, amount, fee int64
		var kind string
		w.must(rows.Scan(&lease, &number, &kind, &hour, &cpu, &amount, &fee))
		text += fmt.Sprintln(lease, number, kind, hour, cpu, amount, fee)
	}
	w.must(rows.Err())
	return text
}

// TestRating_ChargesDoNotDependOnBatchesOrFeeds delivers the same feeds in two
// very different ways: the exchange's first in large batches, and metering's
// first event by event, before any lease is known.
func TestRating_ChargesDoNotDependOnBatchesOrFeeds(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		fill := func(w *world) {
			w.open("acme", "Acme", 1_000*corehour.NanoPerUnit)
			w.open("norge", "Norge", 0)
			for i := range 4 {
				l := standardLease("acme", "norge")
				l.TakeOrPay = corehour.BasisPoints(i) * 2_000
				id := w.match(l)
				for n := range 9 {
					w.use(id, (n*5+i)%3, corehour.CPUTime(n*i)*minuteCPU+1)
				}
				w.end(id, corehour.StatusCompleted, january.Add(700).Instant()+1)
				w.closeUsage(id)
			}
		}
		fill(w)
		w.run()

		early := newWorld(t, testenv.SQLite(t))
		fill(early)
		for early.metering.taken < len(early.metering.events) {
			early.deliver(&early.metering, 1)
		}
		if n := early.number(`SELECT COUNT(*) FROM billing_early`); n != 40 {
			t.Fatalf("%d facts wait for their lease, want 40", n)
		}
		for early.exchange.taken < len(early.exchange.events) {
			early.deliver(&early.exchange, 1)
		}
		early.run()
		if n := early.number(`SELECT COUNT(*) FROM billing_early`); n != 0 {
			t.Errorf("%d facts still wait for a lease that is known", n)
		}
		if a, b := chargesOf(w), chargesOf(early); a != b || a == "" {
			t.Errorf("the charges differ:\n%s\nand\n%s", a, b)
		}
		w.checkBooks()
		early.checkBooks()
	})
}

// TestRating_TablesCanBeBuiltAgainFromTheFeeds takes the exchange's whole feed,
// with the charges it once posted, before metering's.
func TestRating_TablesCanBeBuiltAgainFromTheFeeds(t *testing.T) {
	w := twoLeases(t, testenv.SQLite(t))
	again := newWorld(t, testenv.SQLite(t))
	again.funds, again.leases = w.funds, w.leases
	again.exchange.events, again.metering.events = w.exchange.events, w.metering.events
	again.run()
	if len(again.submitted) > 0 {
		t.Errorf("charges were submitted again: %+v", again.submitted)
	}
	if a, b := chargesOf(w), chargesOf(again); a != b || a == "" {
		t.Errorf("the charges differ:\n%s\nand\n%s", a, b)
	}
	if idle, err := again.service.Idle(again.ctx); err != nil || !idle {
		t.Errorf("not idle: %v %v", idle, err)
	}
	again.checkBooks()
}

// TestRating_LongLeasesCloseInGroups closes seven leases of a year in one
// transaction: more hours than closing has in memory at once.
func TestRating_LongLeasesCloseInGroups(t *testing.T) {
	w := newWorld(t, testenv.SQLite(t))
	w.open("acme", "Acme", 9_000_000*corehour.NanoPerUnit)
	w.open("norge", "Norge", 0)
	const leases, hours = 7, int64(corehour.MaxDuration / corehour.MinutesPerHour)
	if leases*hours <= maxClosingHours {
		t.Fatal("these leases fit into one group")
	}
	for range leases {
		l := standardLease("acme", "norge")
		l.End, l.TakeOrPay = l.Start.Add(corehour.MaxDuration), 100
		id := w.match(l)
		w.use(id, 3, corehour.CPUHour)
		w.end(id, corehour.StatusCompleted, l.End.Instant())
		w.closeUsage(id)
	}
	w.deliverAll()
	// One hour of each lease was used above its minimum; all others are topped up.
	if n := w.number(`SELECT COUNT(*) FROM billing_charges WHERE kind = 'take_or_pay'`); n != leases*(hours-1) {
		t.Errorf("%d top-ups, want %d", n, leases*(hours-1))
	}
	if n := w.number(`SELECT COUNT(*) FROM billing_progress WHERE ready = 1 AND charges = $1`, hours); n != leases {
		t.Errorf("%d leases are ready with a charge for every hour, want %d", n, leases)
	}
	if n := w.number(`SELECT COUNT(DISTINCT queue_id) FROM billing_charges`); n != leases*hours {
		t.Errorf("%d places in the queue for %d charges", n, leases*hours)
	}
}

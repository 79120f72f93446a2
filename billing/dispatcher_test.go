package billing

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// closedLeases is a world in which some leases were used and closed, and nothing
// was dispatched yet. Each has two charges.
func closedLeases(t testing.TB, db *database.DB, n int) *world {
	w := newWorld(t, db)
	w.open("acme", "Acme", 1_000*corehour.NanoPerUnit)
	w.open("norge", "Norge", 0)
	for range n {
		id := w.match(standardLease("acme", "norge"))
		w.use(id, 0, corehour.CPUHour)
		w.use(id, 1, corehour.CPUHour/2)
		w.end(id, corehour.StatusCompleted, january.Add(750).Instant())
		w.closeUsage(id)
	}
	w.deliverAll()
	return w
}

func TestDispatcher_AfterACrashANewServiceSubmitsWhatIsPending(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := closedLeases(t, db, 3)
		// The first service submits, and dies before the exchange's events come back.
		newDispatcher(w.service).pass(w.ctx)
		if len(w.submitted) != 6 {
			t.Fatalf("%d charges submitted, want 6", len(w.submitted))
		}
		w.service = w.newService()
		newDispatcher(w.service).pass(w.ctx)
		if len(w.submitted) != 12 {
			t.Errorf("%d charges submitted after the restart, want all 6 again", len(w.submitted)-6)
		}
		w.run()
		for id, l := range w.leases {
			if len(l.charges) != 2 || !l.settled {
				t.Errorf("%s has %d charges, settled %v", id, len(l.charges), l.settled)
			}
		}
		w.checkBooks()
	})
}

func TestDispatcher_SubmitsEachChargeOnceWhileTheEventsAreOnTheirWay(t *testing.T) {
	w := closedLeases(t, testenv.SQLite(t), 300)
	d := newDispatcher(w.service)
	for range 5 {
		d.pass(w.ctx)
	}
	if len(w.submitted) != 600 {
		t.Errorf("%d charges submitted, want 600", len(w.submitted))
	}
	// 600 charges in pages of at most 256.
	if w.calls != 3 {
		t.Errorf("%d calls, want 3", w.calls)
	}
	d.nextTick() // an interval with work
	d.pass(w.ctx)
	if len(w.submitted) != 600 {
		t.Errorf("submitted again after an interval with work")
	}
	d.nextTick() // a quiet one
	d.pass(w.ctx)
	if len(w.submitted) != 1_200 {
		t.Errorf("%d charges submitted, want those that never came back again", len(w.submitted))
	}
}

func TestDispatcher_SettlementWaitsForItsPostedCharges(t *testing.T) {
	w := closedLeases(t, testenv.SQLite(t), 2)
	d := newDispatcher(w.service)
	d.pass(w.ctx)
	if page, err := w.service.pendingSettlements(w.ctx, 0); err != nil || len(page) > 0 {
		t.Fatalf("settlements before the charges came back: %v %v", page, err)
	}
	w.deliverAll()
	page, err := w.service.pendingSettlements(w.ctx, 0)
	w.must(err)
	if len(page) != 2 || page[0].item != (Settlement{Lease: 1, Charges: 2}) {
		t.Fatalf("settlements: %+v", page)
	}
}

func TestDispatcher_ARefusedLeaseStopsNoOther(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := closedLeases(t, db, 5)
		var log bytes.Buffer
		w.service.log = slog.New(slog.NewTextHandler(&log, nil))
		w.refuse[3] = "charge_exceeds_hold"
		d := newDispatcher(w.service)
		for range 3 {
			d.pass(w.ctx)
			w.deliverAll()
			d.nextTick()
		}
		for id, l := range w.leases {
			if l.settled != (id != 3) {
				t.Errorf("%s settled: %v", id, l.settled)
			}
		}
		if text := log.String(); !strings.Contains(text, "level=ERROR") ||
			!strings.Contains(text, "code=charge_exceeds_hold") || !strings.Contains(text, "lease=lease-3") {
			t.Errorf("the log does not say what was refused:\n%s", text)
		}
		if idle, err := w.service.Idle(w.ctx); err != nil || idle {
			t.Errorf("idle with a refused lease: %v", err)
		}
		refusals := strings.Count(log.String(), "level=ERROR")
		if refusals > 4 {
			t.Errorf("%d attempts in three intervals: no backoff", refusals)
		}
		delete(w.refuse, 3)
		for range 2 * maxBackoffTicks {
			d.nextTick()
			d.pass(w.ctx)
			w.deliverAll()
		}
		wantCharges(t, w.leases[3].charges, []Charge{
			{3, 1, corehour.ChargeUsage, january.Add(600), 33_700_000},
			{3, 2, corehour.ChargeUsage, january.Add(660), 16_850_000},
		})
		if !w.leases[3].settled {
			t.Error("the lease was not settled after the cause was gone")
		}
		w.checkBooks()
	})
}

func TestDispatcher_ARefusedLeaseIsTriedLessAndLessOften(t *testing.T) {
	w := closedLeases(t, testenv.SQLite(t), 1)
	w.refuse[1] = "charge_exceeds_hold"
	d := newDispatcher(w.service)
	for range 64 {
		d.pass(w.ctx)
		d.nextTick()
	}
	// In the intervals 0, 1, 3, 7, 15, 31 and 63; each time as a page of one lease
	// and then on its own.
	if w.calls != 14 {
		t.Errorf("%d calls in 64 intervals, want 14", w.calls)
	}
}

func TestDispatcher_ForgetsARefusedLeaseThatAnotherNodeSettled(t *testing.T) {
	w := closedLeases(t, testenv.SQLite(t), 1)
	w.refuse[1] = "charge_exceeds_hold"
	d := newDispatcher(w.service)
	d.pass(w.ctx)
	if len(d.refused) != 1 {
		t.Fatalf("%d refused leases, want 1", len(d.refused))
	}
	delete(w.refuse, 1)
	w.run()
	d.nextTick()
	d.pass(w.ctx)
	if len(d.refused) != 0 {
		t.Error("the lease is remembered as refused")
	}
}

func TestDispatcher_ALaterChargeWaitsForTheRefusedOneBeforeIt(t *testing.T) {
	w := closedLeases(t, testenv.SQLite(t), 2)
	late := w.match(standardLease("acme", "norge"))
	w.use(late, 0, corehour.CPUHour)
	w.deliverAll()
	w.refuse[late] = "charge_exceeds_hold"
	d := newDispatcher(w.service)
	d.pass(w.ctx)
	delete(w.refuse, late)
	w.use(late, 0, corehour.CPUHour)
	w.deliverAll()
	d.pass(w.ctx) // within the same interval: the lease is put aside
	if len(w.leases[late].charges) != 0 {
		t.Fatalf("charges of a lease that is put aside: %+v", w.leases[late].charges)
	}
	d.nextTick()
	d.pass(w.ctx)
	wantCharges(t, w.leases[late].charges, []Charge{
		{late, 1, corehour.ChargeUsage, january.Add(600), 33_700_000},
		{late, 2, corehour.ChargeUsage, january.Add(600), 33_700_000},
	})
}

func TestDispatcher_WaitsWhileTheExchangeIsDown(t *testing.T) {
	w := closedLeases(t, testenv.SQLite(t), 40)
	w.down = true
	d := newDispatcher(w.service)
	for range 64 {
		d.pass(w.ctx)
		d.nextTick()
	}
	// Attempts after 1, 2, 4, 8, 16, 16 ... intervals, each of one call.
	if w.calls < 5 || w.calls > 8 {
		t.Errorf("%d calls in 64 intervals", w.calls)
	}
	if len(d.refused) > 0 {
		t.Errorf("an exchange that is down counts as a refusal of %d leases", len(d.refused))
	}
	w.down = false
	for range maxPauseTicks {
		d.nextTick()
	}
	d.pass(w.ctx)
	if len(w.submitted) != 80 {
		t.Errorf("%d charges submitted when it was back, want 80", len(w.submitted))
	}
}

func TestDispatcher_RunStopsWithItsContext(t *testing.T) {
	w := closedLeases(t, testenv.SQLite(t), 2)
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- w.service.Run(ctx) }()
	cancel()
	select {
	case err := <-done:
		w.must(err)
	case <-time.After(10 * time.Second):
		t.Fatal("Run did not return")
	}
}

func TestService_ChecksItsConfiguration(t *testing.T) {
	db := testenv.SQLite(t)
	good := Config{DB: db, Clock: corehour.SystemClock{}, Exchange: &world{}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"DB":       func(c *Config) { c.DB = nil },
		"Clock":    func(c *Config) { c.Clock = nil },
		"Exchange": func(c *Config) { c.Exchange = nil },
		"Currency": func(c *Config) { c.Currency = "dollar" },
		"Interval": func(c *Config) { c.Interval = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a bad %s: %v", name, err)
		}
	}
}

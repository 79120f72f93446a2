package main

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/config"
	"github.com/corehour/corehour/metering"
)

// TestService_FailedLeaseIsCoveredBilledAndBalanced lets a provider fail in the
// middle of a lease: another one takes over at the consumer's price, both are
// billed for what they delivered, the bond pays credit and difference, and the
// ledger agrees with the exchange. So it does after a restart.
func TestService_FailedLeaseIsCoveredBilledAndBalanced(t *testing.T) {
	m := newFailingMarket(t)
	defer func() { m.must(m.s.close()) }()
	m.do(
		exchange.PostBond{Account: "north", Amount: 2 * corehour.NanoPerUnit, Reference: "bond"},
		exchange.PlaceOffer{Product: "cpu", Provider: "north", Region: "fi", Units: 10, To: m.begin.Add(1440), Price: price("0.10"), SLA: corehour.SLAPremium},
		exchange.PlaceOffer{Product: "cpu", Provider: "south", Region: "fi", Units: 10, To: m.begin.Add(1440), Price: price("0.15"), SLA: corehour.SLAPremium},
		exchange.PlaceBid{Product: "cpu", Consumer: "lab", Units: 10, Duration: 120, Limit: price("0.12"), MinSLA: corehour.SLAPremium},
		exchange.AcceptLease{Provider: "north", Lease: 1}, exchange.StartLease{Provider: "north", Lease: 1},
	)
	m.at(60)
	m.do(exchange.FailLease{Provider: "north", Lease: 1})
	failed, cover := m.lease(1), m.lease(2)
	// A quarter of the price of 10 units for an hour, and 0.05 for each of them.
	if failed.Status != corehour.StatusFailed || failed.Cause != corehour.CauseByProvider || failed.Credit != 250_000_000 {
		t.Fatalf("%+v", failed)
	}
	if cover.CoverOf != 1 || cover.Payer != "north" || cover.FromBond != 500_000_000 || cover.Price != price("0.15") || cover.Start != m.begin.Add(60) {
		t.Fatalf("%+v", cover)
	}
	m.funds("north", 8, 0, 1.25)
	m.do(exchange.AcceptLease{Provider: "south", Lease: 2}, exchange.StartLease{Provider: "south", Lease: 2})
	m.must(m.s.close())
	m.open()
	m.at(120)
	m.do(exchange.Tick{})
	m.report("north", 1, 0, 5*corehour.CPUHour)
	m.report("south", 2, 60, 10*corehour.CPUHour)
	for id := corehour.LeaseID(1); id <= 2; id++ {
		m.settled(id)
	}
	// The consumer paid 0.50 for the first hour and, net of the bond, 1.00 for the
	// second; the credit came on top.
	m.funds("lab", 100-0.5-1.5+0.5+0.25, 0, 0)
	m.funds("north", 8+0.5, 0, 1.25)
	m.funds("south", 1.5, 0, 0)
	check, err := ledger{m.s}.CheckLedger(t.Context())
	if err != nil || check.Sum != 0 || len(check.Differences) > 0 || len(check.Findings) > 0 {
		t.Errorf("ledger: %+v, %v", check, err)
	}
}

func TestService_NewExchangeBeginsWithTheStandardRulesAndKeepsWhatItHas(t *testing.T) {
	m := newFailingMarket(t)
	if rules, set := m.s.exchange.LeaseRules(); !set || rules != corehour.StandardLeaseRules() {
		t.Errorf("a new exchange has %+v", rules)
	}
	m.do(exchange.SetLeaseRules{})
	m.must(m.s.close())
	m.open()
	defer func() { m.must(m.s.close()) }()
	if rules, set := m.s.exchange.LeaseRules(); !set || rules != (corehour.LeaseRules{}) {
		t.Errorf("after a restart it has %+v", rules)
	}
}

// failingMarket is a service on a clock that the test moves.
type failingMarket struct {
	t     *testing.T
	dir   string
	clock *manualClock
	s     *service
	begin corehour.Minute
}

func newFailingMarket(t *testing.T) *failingMarket {
	t.Helper()
	m := &failingMarket{t: t, dir: filepath.Join(t.TempDir(), "data"), clock: &manualClock{}, begin: minute(t, "2024-01-01T00:00:00Z")}
	m.clock.advance(m.begin.Instant())
	m.open()
	m.do(
		exchange.DefineProduct{Product: corehour.Product{ID: "cpu"}},
		exchange.DefineRegion{Region: corehour.Region{ID: "fi", Country: "FI", Continent: "europe", Zone: "FI"}},
		exchange.OpenAccount{Account: "lab", Org: "lab"}, exchange.OpenAccount{Account: "north", Org: "north"}, exchange.OpenAccount{Account: "south", Org: "south"},
		exchange.Deposit{Account: "lab", Amount: 100 * corehour.NanoPerUnit, Reference: "w"},
		exchange.Deposit{Account: "north", Amount: 10 * corehour.NanoPerUnit, Reference: "w"},
	)
	return m
}

func (m *failingMarket) open() {
	m.t.Helper()
	var err error
	m.s, err = openService(m.t.Context(), serviceConfig{
		Server: config.Server{DataDir: m.dir, UsageGrace: config.DefaultUsageGrace, LeaseRules: config.LeaseRulesStandard},
		Clock:  m.clock, ManualTime: true, Logger: slog.New(slog.DiscardHandler),
	})
	m.must(err)
}

func (m *failingMarket) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *failingMarket) at(minutes corehour.Minutes) { m.clock.advance(m.begin.Add(minutes).Instant()) }

func (m *failingMarket) do(commands ...exchange.Command) {
	m.t.Helper()
	m.must(m.s.do(m.t.Context(), commands...))
}

func (m *failingMarket) lease(id corehour.LeaseID) exchange.LeaseView {
	m.t.Helper()
	view, err := m.s.exchange.Lease(m.t.Context(), id)
	m.must(err)
	return view
}

// report reports the CPU time of one lease-hour and closes the lease's usage.
func (m *failingMarket) report(provider corehour.AccountID, id corehour.LeaseID, from corehour.Minutes, used corehour.CPUTime) {
	m.t.Helper()
	usage := currentMetering{m.s.metering, m.s}
	results, err := usage.Report(m.t.Context(), provider, []metering.Record{{
		RecordID: "r-" + id.String(), Lease: id, From: m.begin.Add(from).Instant(), To: m.begin.Add(from + 60).Instant(), Used: used,
	}})
	m.must(err)
	if results[0].Status != metering.StatusAccepted {
		m.t.Fatalf("%+v", results[0])
	}
	results, err = usage.Close(m.t.Context(), provider, []corehour.LeaseID{id})
	m.must(err)
	if results[0].Status != metering.StatusAccepted {
		m.t.Fatalf("%+v", results[0])
	}
}

// settled waits until billing has had a lease settled.
func (m *failingMarket) settled(id corehour.LeaseID) {
	m.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); m.lease(id).Status != corehour.StatusSettled; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("%s is not settled: %+v", id, m.lease(id))
		}
	}
}

// funds are in whole units of the currency.
func (m *failingMarket) funds(id corehour.AccountID, available, held, bond float64) {
	m.t.Helper()
	a, err := m.s.exchange.Account(m.t.Context(), id)
	m.must(err)
	units := func(f float64) corehour.Money { return corehour.Money(f*1000+0.5) * corehour.NanoPerUnit / 1000 }
	if a.Available != units(available) || a.Held != units(held) || a.Bond != units(bond) {
		m.t.Errorf("%s has %s available, %s held and a bond of %s, want %v, %v and %v", id, a.Available, a.Held, a.Bond, available, held, bond)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/providers"
)

// demoConsumer is a simulated consumer and what it looks for.
type demoConsumer struct {
	account corehour.AccountID
	name    string
	bid     func(r *rand.Rand, b *api.PlaceBid)
}

// demoConsumers want different things, so that every part of the book is used.
var demoConsumers = []demoConsumer{
	{"genomics-lab", "Batch work, cheap and patient", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit, b.Interruptible, b.MinFill = pick(r, 8, 16, 32), price("0.03"), true, 4
	}},
	{"render-farm", "All frames at once or not at all, in Europe", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit = pick(r, 48, 96), price("0.07")
		b.MinFill, b.Regions = b.Units, europe()
	}},
	{"green-ai", "Pays for clean hours, takes no dirty ones", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit, b.CarbonPrice = pick(r, 4, 8, 12), price("0.08"), corehour.CarbonPrice(price("150"))
		most := corehour.CarbonRate(250)
		b.MaxCarbon = &most
	}},
	{"eu-bank", "Premium service within the union, now", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit, b.MinSLA, b.Regions = pick(r, 2, 4), price("0.07"), corehour.SLAPremium, europe()
		b.TimeInForce = corehour.ImmediateOrCancel
	}},
	{"physics-dept", "As much as there is below its price", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit, b.Interruptible, b.MinFill = pick(r, 64, 128), price("0.015"), true, 16
	}},
	{"weather-service", "The whole run in one minute or never", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit, b.TimeInForce = pick(r, 32, 64), price("0.062"), corehour.FillOrKill
	}},
	{"game-studio", "Builds through the day, anywhere but far away", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit, b.Interruptible = pick(r, 4, 8, 16), price("0.05"), true
		b.Regions = &api.AllowedRegions{Deny: []corehour.RegionID{"australia-southeast1", "australia-southeast2"}}
	}},
	{"startup", "Whatever is cheapest", func(r *rand.Rand, b *api.PlaceBid) {
		b.Units, b.Limit, b.Interruptible = pick(r, 1, 2, 4), price("0.02"), true
	}},
}

func pick(r *rand.Rand, units ...corehour.Units) corehour.Units { return units[r.IntN(len(units))] }

// price is a constant of the table above.
func price(s string) corehour.Price {
	p, err := corehour.ParsePrice(s)
	if err != nil {
		panic(err)
	}
	return p
}

func europe() *api.AllowedRegions {
	return &api.AllowedRegions{Allow: []corehour.RegionID{"europe-central2", "europe-north1", "europe-west1", "europe-west3", "europe-west4"}}
}

// trader bids through the API, now and then.
type trader struct {
	demo     *demo
	consumer demoConsumer
	client   *client
	random   *rand.Rand
}

func (d *demo) newTrader(number int, c demoConsumer) (*trader, error) {
	cl, err := d.client(api.RoleConsumer, c.account)
	return &trader{demo: d, consumer: c, client: cl, random: rand.New(rand.NewPCG(d.seed, uint64(number)))}, err
}

const (
	demoBidEvery  = 3 * time.Second // on average, of the machine's time
	demoStepEvery = 500 * time.Millisecond
)

func (t *trader) run(ctx context.Context) {
	for number := 1; ; number++ {
		pause := demoBidEvery/2 + time.Duration(t.random.Int64N(int64(demoBidEvery)))
		if !pauseFor(ctx, pause) {
			return
		}
		if err := t.place(ctx, number); err != nil && ctx.Err() == nil {
			t.demo.out.printf("%s  %-16s bid refused: %v", t.demo.stamp(), t.consumer.account, err)
		}
	}
}

func (t *trader) place(ctx context.Context, number int) error {
	hours := corehour.Minutes(2 + t.random.IntN(9))
	bid := api.PlaceBid{ClientID: fmt.Sprintf("demo-%d", number), BidTerms: api.BidTerms{
		Product: demoProduct, Duration: hours * corehour.MinutesPerHour,
		LatestEnd: corehour.InstantOf(t.demo.clock.Now()).CeilMinute().Add(2*hours*60 + corehour.MinutesPerDay),
	}}
	t.consumer.bid(t.random, &bid)
	var placed api.BidPlaced
	if err := t.client.call(ctx, http.MethodPost, "/v1/bids", bid, &placed); err != nil {
		return err
	}
	if len(placed.Fills) == 0 {
		t.demo.out.printf("%s  %-16s wants %3d units for %2d h, nothing at its terms: %s", t.demo.stamp(), t.consumer.account,
			bid.Units, hours, outcomeOf(placed))
	}
	for _, f := range placed.Fills {
		t.demo.out.printf("%s  %-16s buys %4d units for %2d h in %-24s at %s/h, %s g/h  %s", t.demo.stamp(), t.consumer.account,
			f.Units, hours, f.Region, f.Price, f.Carbon, f.Lease)
	}
	return nil
}

func outcomeOf(b api.BidPlaced) string {
	if b.Closed != "" {
		return string(b.Closed)
	}
	return "it rests as " + b.Bid.String()
}

func (d *demo) stamp() string { return d.clock.Now().Format("Jan 02 15:04") }

// pauseFor waits; it reports false when the context has ended.
func pauseFor(ctx context.Context, pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// providerAgent serves the leases of one provider: it accepts what is delivered,
// starts it in time, reports what it uses hour by hour, and closes it.
type providerAgent struct {
	demo   *demo
	client *client
	random *rand.Rand
	cursor string
	leases map[corehour.LeaseID]*served
}

// served is a lease that the agent is working on.
type served struct {
	corehour.Lease
	started  bool
	load     int64           // of its units in percent
	reported corehour.Minute // usage is reported up to here
}

func (d *demo) newProviderAgent(m providers.MarketRegion) (*providerAgent, error) {
	cl, err := d.client(api.RoleProvider, providerOf(m.Region.ID))
	return &providerAgent{
		demo: d, client: cl, cursor: "0", leases: make(map[corehour.LeaseID]*served),
		random: rand.New(rand.NewPCG(d.seed, uint64(len(m.Region.ID))<<32|uint64(m.OnDemand))),
	}, err
}

func (a *providerAgent) run(ctx context.Context) {
	for pauseFor(ctx, demoStepEvery) {
		if err := errors.Join(a.receive(ctx), a.step(ctx)); err != nil && ctx.Err() == nil {
			a.demo.out.printf("%s  a provider's agent will try again: %v", a.demo.stamp(), err)
		}
	}
}

// receive accepts what has come into the inbox.
func (a *providerAgent) receive(ctx context.Context) error {
	var inbox api.DeliveryPage
	if err := a.client.call(ctx, http.MethodGet, "/v1/deliveries?limit=100&after="+a.cursor, nil, &inbox); err != nil {
		return err
	}
	for _, item := range inbox.Items {
		if err := a.lease(ctx, item.Lease.ID, "accept"); err != nil {
			return err
		}
		a.cursor = fmt.Sprint(item.Cursor)
		a.leases[item.Lease.ID] = &served{Lease: item.Lease, load: 60 + a.random.Int64N(41), reported: item.Lease.Start}
	}
	return nil
}

// lease takes a step of a lease's life. That the exchange was faster (the lease
// is over) is no failure.
func (a *providerAgent) lease(ctx context.Context, id corehour.LeaseID, step string) error {
	err := a.client.call(ctx, http.MethodPost, "/v1/leases/"+id.String()+"/"+step, nil, nil)
	var problem *problemError
	if errors.As(err, &problem) && problem.Code == exchange.CodeWrongStatus {
		return nil
	}
	return err
}

func (a *providerAgent) step(ctx context.Context) error {
	now := corehour.InstantOf(a.demo.clock.Now()).FloorMinute()
	var report api.ReportUsage
	var ended api.CloseUsage
	for _, l := range a.leases {
		if !l.started && now >= l.Start {
			if err := a.lease(ctx, l.ID, "start"); err != nil {
				return err
			}
			l.started = true
			continue // metering learns of it before the next step
		}
		for l.started && len(report.Records) < 500 && l.reported < min(now, l.End) {
			to := min(l.reported.Add(corehour.MinutesPerHour), l.End)
			if to > now {
				break
			}
			report.Records = append(report.Records, a.record(l, to))
			l.reported = to
		}
		if l.reported == l.End && now > l.End {
			ended.Leases = append(ended.Leases, l.ID)
		}
	}
	if len(report.Records) > 0 {
		if err := a.client.call(ctx, http.MethodPost, "/v1/usage", report, nil); err != nil {
			return err
		}
	}
	if len(ended.Leases) == 0 {
		return nil
	}
	var closed api.UsageResults
	if err := a.client.call(ctx, http.MethodPost, "/v1/usage/close", ended, &closed); err != nil {
		return err
	}
	for _, item := range closed.Items {
		if item.Status != "rejected" {
			delete(a.leases, item.Lease)
		}
	}
	return nil
}

func (a *providerAgent) record(l *served, to corehour.Minute) api.UsageRecord {
	capacity := corehour.Capacity(l.Units, to.Sub(l.reported))
	return api.UsageRecord{
		RecordID: fmt.Sprintf("%s:%d", l.ID, to), Lease: l.ID, From: l.reported.Instant(), To: to.Instant(),
		Used: api.CPUSeconds(int64(capacity) / 100 * l.load),
	}
}

// financeDesk closes each month when it is over.
type financeDesk struct {
	demo   *demo
	client *client
	month  billing.Period
	after  string // the query that goes on after the last invoice shown
}

func (d *demo) newFinanceDesk() (*financeDesk, error) {
	cl, err := d.client(api.RoleFinance, "finance")
	return &financeDesk{demo: d, client: cl, month: billing.PeriodOf(corehour.InstantOf(d.clock.Now()).FloorMinute())}, err
}

// closeAfter leaves the providers time to report the last hours of a month.
const closeAfter = 2 * corehour.MinutesPerHour

func (f *financeDesk) run(ctx context.Context) {
	for pauseFor(ctx, demoStepEvery) {
		if corehour.InstantOf(f.demo.clock.Now()).FloorMinute() < f.month.End().Add(closeAfter) {
			continue
		}
		if err := f.closeMonth(ctx); err != nil {
			if ctx.Err() == nil {
				f.demo.out.printf("%s  finance will try again: %v", f.demo.stamp(), err)
			}
			continue
		}
		f.month = f.month.Next()
	}
}

func (f *financeDesk) closeMonth(ctx context.Context) error {
	month := api.IssueDocuments{Period: f.month}
	if err := f.client.call(ctx, http.MethodPost, "/v1/invoices", month, nil); err != nil {
		return err
	}
	if err := f.client.call(ctx, http.MethodPost, "/v1/statements", month, nil); err != nil {
		return err
	}
	var invoices api.Page[billing.Invoice]
	if err := f.client.call(ctx, http.MethodGet, "/v1/invoices?limit=500"+f.after, nil, &invoices); err != nil {
		return err
	}
	for _, inv := range invoices.Items {
		f.after = "&after=" + inv.Number
		f.demo.out.printf("%s  INVOICE %s  %-16s %s %s for %s CPU-hours, %s kg CO2e", f.demo.stamp(), inv.Number, inv.Consumer,
			inv.Total, inv.Currency, inv.CPU.Hours(), inv.CO2e.Kilograms())
	}
	return nil
}

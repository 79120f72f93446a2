package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

const (
	// benchSubmitters is how many goroutines submit and wait.
	benchSubmitters = 1000
	// warmUpShare of the duration passes before anything is counted.
	warmUpShare = 10
	// benchBuyers is how many accounts the plain orders come from.
	benchBuyers = 1000
	// benchBuyerFunds cover all orders that a buyer can place in an hour.
	benchBuyerFunds = 5_000_000 * corehour.NanoPerUnit
	// benchStock is how many offers of the most units each region has.
	benchStock = 8
)

// plainMarket is what the durable orders, those over HTTP and those of PostgreSQL
// meet: capacity that is never sold out in every region, and buyers with funds.
func plainMarket(now corehour.Instant, buyers int) []exchange.Command {
	commands := []exchange.Command{
		exchange.DefineProduct{Product: corehour.Product{ID: "cpu.standard", Unit: "1 vCPU"}},
		exchange.OpenAccount{Account: "provider", Org: "provider", Name: "Provider"},
	}
	from := now.CeilMinute()
	for i := range benchRegions {
		commands = append(commands, exchange.DefineRegion{Region: corehour.Region{ID: benchRegion(i), Country: "FI", Continent: "europe", Zone: "FI"}})
		for n := range benchStock {
			commands = append(commands, exchange.PlaceOffer{
				Product: "cpu.standard", Provider: "provider", Region: benchRegion(i), Units: corehour.MaxUnits, From: from,
				To: from.Add(30 * 1440), Price: corehour.Price(offerFrom+n*100) * corehour.Tick, SLA: corehour.SLABasic,
			})
		}
	}
	for i := range buyers {
		commands = append(commands,
			exchange.OpenAccount{Account: buyer(i), Org: corehour.OrgID(buyer(i)), Name: "Buyer"},
			exchange.Deposit{Account: buyer(i), Amount: benchBuyerFunds, Reference: "opening"})
	}
	return commands
}

func buyer(i int) corehour.AccountID { return corehour.AccountID(fmt.Sprintf("buyer-%d", i)) }

// plainBid is the order that is measured: a unit for an hour in one region, where
// every other one fills at once and the others rest for a day.
func plainBid(now corehour.Instant, who, n int) exchange.PlaceBid {
	limit := corehour.Price(fillFrom) * corehour.Tick
	if n%2 == 1 {
		limit = corehour.Price(restFrom+n%(restTo-restFrom)) * corehour.Tick
	}
	from := now.CeilMinute()
	return exchange.PlaceBid{
		Product: "cpu.standard", Consumer: buyer(who), Units: 1, Duration: 60, EarliestStart: from, LatestEnd: from.Add(1440),
		Limit: limit, Regions: corehour.Allowed[corehour.RegionID]{Allow: []corehour.RegionID{benchRegion((who + n) % benchRegions)}},
		ClientID: fmt.Sprintf("job-%d", n),
	}
}

// measureDurable submits plain bids from many goroutines, each of which waits for
// its answer, and looks how far the projection has fallen behind meanwhile.
func (b *bench) measureDurable(ctx context.Context) (err error) {
	clock := corehour.SystemClock{}
	var projected atomic.Int64
	e, err := b.openEngine(ctx, b.scratch(scratchDurable), clock, func(events []corehour.Event) {
		for i := range events {
			if events[i].Type == corehour.EventBidPlaced {
				projected.Add(1)
			}
		}
	})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, e.close()) }()
	setUp := &feeder{x: e.Exchange, answer: mustBeTaken}
	for _, c := range plainMarket(corehour.InstantOf(clock.Now()), b.size(benchBuyers)) {
		if err := setUp.feed(ctx, c); err != nil {
			return err
		}
	}
	if err := setUp.settle(ctx, 0); err != nil {
		return err
	}
	b.say("%s: %d submitters", keyDurable, b.size(benchSubmitters))
	var load *submitters
	err = b.profiled("durable", func() error {
		load, err = b.submitBids(ctx, e.Exchange, clock)
		return err
	})
	if err != nil {
		return err
	}
	behind, began := load.accepted-projected.Load(), time.Now()
	b.say("%s: the projection is %d orders behind", keyDurable, behind)
	if err := caughtUp(ctx, e.Exchange); err != nil {
		return err
	}
	b.reportDurable(load, behind, time.Since(began))
	return nil
}

func (b *bench) reportDurable(load *submitters, behind int64, catchUp time.Duration) {
	slices.Sort(load.took)
	p99 := load.took[len(load.took)*99/100]
	b.figures[keyDurable] = float64(len(load.took)) / load.measured.Seconds()
	b.figures[keyDurableP99] = p99.Seconds() * 1000
	half := load.took[len(load.took)/2]
	b.detail("durable_p50_ms", round(half.Seconds()*1000), "durable: p50 %s ms, the longest %s ms",
		figure(half.Seconds()*1000), figure(load.took[len(load.took)-1].Seconds()*1000))
	b.detail("durable_projection_behind", behind, "durable: the projection on SQLite was %s orders behind at the end and caught up within %s s",
		figure(float64(behind)), figure(catchUp.Seconds()))
	b.detail("durable_projection_catch_up_seconds", round(catchUp.Seconds()), "")
}

// submitters is what many goroutines saw.
type submitters struct {
	mu       sync.Mutex
	took     []time.Duration
	accepted int64 // those before counting began included
	measured time.Duration
	err      error
}

func (b *bench) submitBids(ctx context.Context, x *exchange.Exchange, clock corehour.Clock) (*submitters, error) {
	load := &submitters{}
	from := time.Now().Add(b.duration / warmUpShare)
	until := from.Add(b.duration)
	var work sync.WaitGroup
	buyers := b.size(benchBuyers)
	count := b.size(benchSubmitters)
	for s := range count {
		work.Go(func() { load.submit(ctx, x, clock, s%buyers, s/buyers, from, until) })
	}
	work.Wait()
	load.measured = time.Since(from)
	if load.err == nil && len(load.took) == 0 {
		load.err = fmt.Errorf("no order was answered within %s", b.duration)
	}
	return load, load.err
}

func (l *submitters) submit(ctx context.Context, x *exchange.Exchange, clock corehour.Clock, who, offset int, from, until time.Time) {
	// Goroutines of one buyer number their orders apart.
	const apart = 100_000_000
	var took []time.Duration
	var accepted int64
	var err error
	for n := offset*apart + who; ; n++ {
		began := time.Now()
		if began.After(until) {
			break
		}
		var reply exchange.Reply
		if reply, err = x.Submit(ctx, plainBid(corehour.InstantOf(clock.Now()), who, n)); err == nil {
			err = mustBeTaken(reply)
		}
		if err != nil {
			break
		}
		accepted++
		if began.After(from) {
			took = append(took, time.Since(began))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, took...)
	l.accepted += accepted
	l.err = firstError(l.err, err)
}

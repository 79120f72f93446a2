package orderbook_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// loadRun carries out a script on a book. All its orders are for one delivery
// hour in one region, so that price and arrival alone decide.
type loadRun struct {
	book   *orderbook.Book
	script *loadScript
	bid    orderbook.Bid
	offer  orderbook.Offer
	refs   []uint64 // what the book calls the orders, by operation
	done   loadTally
}

func newLoadRun(s *loadScript) *loadRun {
	const from, to = 60, 120
	refs := make([]uint64, len(s.setup)+len(s.ops)+len(s.after))
	for i := range refs {
		refs[i] = 1 // so that the first use of its memory is not measured
	}
	return &loadRun{
		book:   orderbook.New(orderbook.NewGrid()),
		script: s,
		bid: orderbook.Bid{
			Duration: to - from, EarliestStart: from, LatestEnd: to,
			Regions: orderbook.RegionSet{AllowAll: true}, Providers: orderbook.ProviderSet{AllowAll: true},
			MaxCarbon: orderbook.NoCarbonCap, MinSLA: corehour.SLABasic, MinFill: 1,
			MaxLeases: corehour.MaxLeasesPerBid, TimeInForce: corehour.GoodTillCancelled,
		},
		offer: orderbook.Offer{
			From: from, To: to, Carbon: orderbook.Carbon{Rate: 900}, SLA: corehour.SLABasic, MinFill: 1, MinDuration: 1,
		},
		refs: refs,
	}
}

// setBid and setOffer make the run's order that of an operation.
func (r *loadRun) setBid(op *loadOp, number int) {
	r.bid.ID, r.bid.Arrival = corehour.BidID(loadID(number)), loadID(number)
	r.bid.Org, r.bid.Units = orderbook.OrgIndex(op.org), corehour.Units(op.units)
	r.bid.Limit, r.bid.MaxLeases = corehour.Price(op.price)*corehour.Tick, corehour.MaxLeasesPerBid
}

func (r *loadRun) setOffer(op *loadOp, number int) {
	r.offer.ID, r.offer.Arrival = corehour.OfferID(loadID(number)), loadID(number)
	r.offer.Org, r.offer.Provider = orderbook.OrgIndex(op.org), orderbook.ProviderIndex(op.org)
	r.offer.Units = corehour.Units(op.units)
	r.offer.Price = corehour.Price(op.price) * corehour.Tick
}

// do carries out one operation and returns the fills for the tally.
func (r *loadRun) do(op *loadOp, number int) []orderbook.Fill {
	switch op.kind {
	case loadBid:
		r.setBid(op, number)
		ref, out := r.book.PlaceBid(0, &r.bid)
		r.refs[number] = uint64(ref)
		return out.Fills
	case loadOffer:
		r.setOffer(op, number)
		ref, out := r.book.PlaceOffer(0, &r.offer)
		r.refs[number] = uint64(ref)
		return out.Fills
	}
	r.cancel(op)
	return nil
}

// cancel takes an order out. One that is not the one meant changes the tally, now
// or when what is left in the book is swept.
func (r *loadRun) cancel(op *loadOp) {
	ok, ref := false, r.refs[op.target]
	if op.of == loadBid {
		var open corehour.Units
		open, ok = r.book.CancelBid(orderbook.BidRef(ref))
		r.done.open += int64(open)
	} else {
		ok = r.book.CancelOffer(orderbook.OfferRef(ref))
	}
	if ok {
		r.done.cancelled++
	}
}

// count adds fills to the tally.
func (t *loadTally) count(fills []orderbook.Fill) {
	for i := range fills {
		f := &fills[i]
		t.fill(uint64(f.Bid), uint64(f.Offer), int64(f.Units), int64(f.Price))
	}
}

// run carries out operations of which the first has a number.
func (r *loadRun) run(ops []loadOp, first int) {
	for i := range ops {
		if fills := r.do(&ops[i], first+i); len(fills) > 0 {
			r.done.count(fills)
		}
	}
}

// clocked does the same and records each operation, the time of reading the
// clock once included.
func (r *loadRun) clocked(ops []loadOp, first int, latencies *loadLatencies) {
	began := time.Now()
	last := time.Since(began)
	for i := range ops {
		fills := r.do(&ops[i], first+i)
		now := time.Since(began)
		latencies.record(int64(now - last))
		if len(fills) > 0 {
			r.done.count(fills)
			now = time.Since(began)
		}
		last = now
	}
}

// setup puts the book into the state in which measuring begins.
func (r *loadRun) setup(tb testing.TB) {
	tb.Helper()
	r.run(r.script.setup, 0)
	r.compare(tb, "setup", r.script.wantSetup)
}

// compare ends the test where what was done since the last time is not what the
// reference did.
func (r *loadRun) compare(tb testing.TB, what string, want loadTally) {
	tb.Helper()
	if r.done != want {
		tb.Fatalf("%s: the book did %+v, the reference %+v", what, r.done, want)
	}
	r.done = loadTally{}
}

// finish compares the measured operations and then what they left in the book.
func (r *loadRun) finish(tb testing.TB) {
	tb.Helper()
	r.compare(tb, "operations", r.script.wantOps)
	r.run(r.script.after, len(r.script.setup)+len(r.script.ops))
	r.compare(tb, "sweeps of what is left", r.script.wantAfter)
}

// throughput measures the operations without a clock between them, in two
// halves: in the second one a market that neither grows nor shrinks has all the
// memory it needs.
func (r *loadRun) throughput(tb testing.TB, rounds loadRounds) {
	tb.Helper()
	half := len(r.script.ops) / 2
	first := len(r.script.setup)
	runtime.GC()
	began := loadCPU(tb)
	r.run(r.script.ops[:half], first)
	took := loadCPU(tb) - began
	mallocs := loadMallocs()
	began = loadCPU(tb)
	r.run(r.script.ops[half:], first+half)
	took += loadCPU(tb) - began
	mallocs = loadMallocs() - mallocs
	rounds.add("ns/op", float64(took.Nanoseconds())/float64(len(r.script.ops)))
	rounds.add("allocs/op", float64(mallocs)/float64(len(r.script.ops)-half))
}

// sweep measures the orders that trade through many levels; the tally is made and
// the book filled up again while the clock stands.
func (r *loadRun) sweep(tb testing.TB, rounds loadRounds, latencies *loadLatencies) {
	tb.Helper()
	runtime.GC()
	var took time.Duration
	sweeps, mallocs := 0, uint64(0)
	for i := range r.script.ops {
		op, number := &r.script.ops[i], len(r.script.setup)+i
		if !op.sweeps() {
			r.done.count(r.do(op, number))
			continue
		}
		sweeps++
		before := loadMallocs()
		cpu, began := loadCPU(tb), time.Now()
		fills := r.do(op, number)
		latencies.record(time.Since(began).Nanoseconds())
		took += loadCPU(tb) - cpu
		mallocs += loadMallocs() - before
		r.done.count(fills)
	}
	rounds.add("ns/op", float64(took.Nanoseconds())/float64(sweeps))
	rounds.add("ns/fill", float64(took.Nanoseconds())/float64(r.script.wantOps.fills))
	rounds.add("fills/op", float64(r.script.wantOps.fills)/float64(sweeps))
	rounds.add("allocs/op", float64(mallocs)/float64(sweeps))
}

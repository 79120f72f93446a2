package orderbook_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// judge carries out a plain script on the naive model and compares that with the
// reference, which judges the book at sizes that the model can't do.
func judge(tb testing.TB, s *loadScript) {
	tb.Helper()
	m, orders, number := &model{grid: newHourly()}, newLoadRun(s), 0
	for _, part := range []struct {
		name string
		ops  []loadOp
		want loadTally
	}{{"setup", s.setup, s.wantSetup}, {"operations", s.ops, s.wantOps}, {"sweeps of what is left", s.after, s.wantAfter}} {
		var done loadTally
		for i := range part.ops {
			op := &part.ops[i]
			switch op.kind {
			case loadBid:
				orders.setBid(op, number)
				done.count(m.placeBid(orders.bid).Fills)
			case loadOffer:
				orders.setOffer(op, number)
				done.count(m.placeOffer(orders.offer).Fills)
			default:
				done.cancelled++
				if id := loadID(int(op.target)); op.of == loadOffer {
					m.cancelOffer(corehour.OfferID(id))
				} else {
					done.open += int64(m.bid(corehour.BidID(id)).Units)
					m.cancelBid(corehour.BidID(id))
				}
			}
			m.dropSold()
			number++
		}
		if done != part.want {
			tb.Fatalf("%s: the model did %+v, the reference %+v", part.name, done, part.want)
		}
	}
}

// dropSold takes the offers out of the model that have nothing left at any time:
// they only make it slow.
func (m *model) dropSold() {
	kept := m.offers[:0]
	for _, o := range m.offers {
		left := corehour.Units(0)
		for _, free := range o.free {
			left = max(left, free)
		}
		if left > 0 {
			kept = append(kept, o)
		}
	}
	m.offers = kept
}

// TestWorkload_BidTakesTheBestOfAllStarts places bids of W4 into a small market and
// looks, minute by minute and offer by offer, for what each should have taken
// first. The market is one of long windows and real curves, which the random
// sequences are not.
func TestWorkload_BidTakesTheBestOfAllStarts(t *testing.T) {
	const offers, bids, someFill = 600, 400, 100
	market := newLoadMarket(t).seeded(8)
	market.regions = market.regions[:3] // few kinds of offers, so that each has many
	listed := map[orderbook.OfferRef]*orderbook.Offer{}
	book := market.book(offers, func(ref orderbook.OfferRef, o *orderbook.Offer) {
		kept := *o
		listed[ref] = &kept
	})
	filled := 0
	for range bids {
		bid := market.bid(loadLeastPrice)
		want, ok := bestOfAll(market, book, listed, &bid)
		entry := bid
		_, out := book.PlaceBid(market.now, &entry)
		switch {
		case !ok && len(out.Fills) == 0:
		case !ok:
			t.Fatalf("%+v took %+v where nothing could be taken", bid, out.Fills[0])
		case len(out.Fills) == 0:
			t.Fatalf("%+v took nothing, want %+v", bid, want)
		case out.Fills[0] != want:
			t.Fatalf("%+v took %+v first, want %+v", bid, out.Fills[0], want)
		default:
			filled++
		}
	}
	if filled < someFill || filled == bids {
		t.Errorf("%d of %d bids filled: some of both are needed", filled, bids)
	}
}

// bestOfAll is the fill that a bid must make first, by trying all there is.
func bestOfAll(
	market *loadMarket, book *orderbook.Book, listed map[orderbook.OfferRef]*orderbook.Offer, bid *orderbook.Bid,
) (best orderbook.Fill, found bool) {
	var bestEffective corehour.Price
	var bestArrival uint64
	for ref, o := range listed {
		if !meets(bid, &modelOffer{Offer: *o}) || o.MinFill > bid.Units {
			continue
		}
		need := max(o.MinFill, min(bid.MinFill, bid.Units))
		free := func(start corehour.Minute) corehour.Units {
			if start < market.now || start < bid.EarliestStart || start.Add(bid.Duration) > bid.LatestEnd {
				return 0
			}
			units, _ := book.Free(ref, start, start.Add(bid.Duration))
			return units
		}
		for start := max(bid.EarliestStart, o.From); start.Add(bid.Duration) <= min(bid.LatestEnd, o.To); start++ {
			units := free(start)
			onTheHour := start%loadHour == 0 || start.Add(bid.Duration)%loadHour == 0
			if units < need || !onTheHour && free(start-1) >= need && free(start+1) >= need {
				continue
			}
			rate := market.grid.Rate(o.Carbon, start, bid.Duration)
			effective := o.Price + carbonCost(bid.CarbonPrice, rate)
			if rate > bid.MaxCarbon || effective > bid.Limit {
				continue
			}
			if !found || cmp.Or(
				cmp.Compare(effective, bestEffective), cmp.Compare(start, best.Start), cmp.Compare(o.Arrival, bestArrival),
			) < 0 {
				found, bestEffective, bestArrival = true, effective, o.Arrival
				best = orderbook.Fill{
					Bid: bid.ID, Offer: o.ID, Units: min(units, bid.Units), Start: start, End: start.Add(bid.Duration),
					Price: o.Price, Carbon: rate,
				}
			}
		}
	}
	return best, found
}

// loadJudge is the book with the naive model beside it: both must make the same
// fills at every command.
type loadJudge struct {
	t *testing.T
	*loadBook
	model *model
}

func (j *loadJudge) placeOffer(o orderbook.Offer) {
	j.loadBook.placeOffer(o)
	j.model.placeOffer(o)
}

func (j *loadJudge) placeBid(now corehour.Minute, bid orderbook.Bid) []orderbook.Fill {
	j.model.now = now
	return j.same("place", bid.ID, j.loadBook.placeBid(now, bid), j.model.placeBid(bid).Fills)
}

func (j *loadJudge) cancelBid(id corehour.BidID) {
	j.loadBook.cancelBid(id)
	j.model.cancelBid(id)
}

func (j *loadJudge) release(now corehour.Minute, f orderbook.Fill, from corehour.Minute) []orderbook.Fill {
	j.model.now = now
	return j.same("release", f.Bid, j.loadBook.release(now, f, from), j.model.release(f.Offer, f.Units, from, f.End).Fills)
}

func (j *loadJudge) same(what string, id corehour.BidID, have, want []orderbook.Fill) []orderbook.Fill {
	j.t.Helper()
	if !slices.Equal(have, want) {
		j.t.Fatalf("%s %s: the book did %+v, the model %+v", what, id, have, want)
	}
	return have
}

// TestWorkload_FillingMarketAgreesWithNaiveModel: more bids wait here, for longer
// and with parts of them filled, than in random sequences.
func TestWorkload_FillingMarketAgreesWithNaiveModel(t *testing.T) {
	for seed, size := range []struct{ offers, bids, units, days int }{{8, 600, 32, 8}, {4, 5_000, 3, 4}} {
		m := &loadFilling{random: rand.New(rand.NewPCG(uint64(seed), 3)), units: size.units, days: size.days, day: 96}
		judge := &loadJudge{t: t, loadBook: newLoadBook(), model: &model{grid: newHourly()}}
		m.run(judge, size.offers, size.bids)
		if judge.releases < 50 || judge.fills < size.bids/4 {
			t.Errorf("%d fills and %d releases of %d bids are few", judge.fills, judge.releases, size.bids)
		}
	}
}

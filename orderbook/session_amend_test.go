package orderbook_test

import (
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

func (s *session) reduceBid(c choose) {
	bid := s.anyBid(c)
	if bid.Units < 2 {
		return
	}
	id, units := bid.ID, 1+corehour.Units(c(int(bid.Units-1)))
	s.run(func(s *session) {
		if bid := s.model.bid(id); bid != nil && units < bid.Units {
			s.bidShrinks(id, units)
		}
	}, "reduce %s to %d units", id, units)
}

func (s *session) bidShrinks(id corehour.BidID, units corehour.Units) {
	t := s.tallies[id]
	t.cancelled += int64(t.open-units) * int64(t.left)
	t.open = units
	want := s.model.reduceBid(id, units)
	have, ok := s.book.ReduceBid(s.model.now, s.bidRefs[id], units)
	if !ok {
		s.failf("%s can't be reduced to %d", id, units)
	}
	s.compare(have, want)
	s.saw(true, "bid reduced")
	s.saw(len(want.Fills) > 0, "reduced bid filled")
	s.saw(len(want.Fills) > 0 && whole(&t.bid), "reduced all-or-none bid filled")
	s.saw(len(want.Fills) > 0 && splittable(&t.bid), "reduced splittable bid filled")
}

// amendBid changes a bid in a way that costs its place: the caller cancels it and
// places it anew under its number.
func (s *session) amendBid(c choose) {
	old := *s.anyBid(c)
	s.cancelBid(old.ID)
	bid := s.randomBid(c)
	bid.ID, bid.Group = old.ID, old.Group
	s.placeBid(bid, c)
	s.seen["bid amended"]++
}

func (s *session) reduceOffer(c choose) {
	o := s.anyOffer(c)
	id, units := o.ID, corehour.Units(c(int(o.Units)))
	s.run(func(s *session) {
		o := s.model.offer(id)
		if o == nil || units >= o.Units {
			return
		}
		want := s.model.reduceOffer(id, units)
		if have := s.book.ReduceOffer(s.model.now, s.offerRefs[id], units); have != want {
			s.failf("reduce %s to %d: %t, want %t", id, units, have, want)
		}
		s.offers[id] = o.Offer
		s.saw(want, "offer reduced")
		s.saw(!want && units >= o.MinFill, "offer sold too much to be reduced")
	}, "reduce %s to %d units", id, units)
}

func (s *session) amendOffer(c choose) {
	old := s.anyOffer(c).Offer
	o := s.randomOffer(c)
	o.ID = old.ID
	if c(2) == 0 {
		// A small change, so that what is sold is mostly covered.
		changed := old
		changed.Arrival, changed.PostOnly = o.Arrival, o.PostOnly
		changed.Price, changed.Carbon = pick(c, old.Price, o.Price), pick(c, old.Carbon, o.Carbon)
		changed.From = max(0, pick(c, old.From, old.From-s.minute, s.model.now))
		changed.To = max(changed.From+1, pick(c, old.To, old.To+s.minute, old.To-s.minute))
		changed.Units = pick(c, old.Units, old.Units, min(corehour.MaxUnits, old.Units+s.units), o.Units)
		changed.MinFill = min(old.MinFill, changed.Units)
		o = changed
	}
	s.run(func(s *session) {
		if s.model.offer(o.ID) != nil {
			s.offerChanges(o)
		}
	}, "amend %s", o)
}

func (s *session) offerChanges(o orderbook.Offer) {
	want, covered := s.model.amendOffer(o)
	before := s.offers[o.ID]
	if covered && !want.Refused {
		s.offers[o.ID] = o
	}
	ref, have, ok := s.book.AmendOffer(s.model.now, s.offerRefs[o.ID], o)
	if ok != covered {
		s.failf("amend %s: %t, want %t", o.ID, ok, covered)
	}
	s.compare(have, want)
	s.saw(!covered, "amended offer does not cover what is sold")
	s.saw(want.Refused, "post-only amendment refused")
	if !covered || want.Refused {
		return
	}
	if former := s.offerRefs[o.ID]; former != ref {
		s.staleOffers = append(s.staleOffers, former)
	}
	s.offerRefs[o.ID] = ref
	s.saw(true, "offer amended")
	s.saw(before.From != o.From || before.To != o.To, "offer's window amended")
	s.saw(len(want.Fills) > 0, "amended offer filled a bid")
	s.sawNewCapacity(o.ID, want)
}

// changeGrid gives a zone a curve or another mean.
func (s *session) changeGrid(c choose) {
	zone := s.zones[c(len(s.zones))]
	if oneIn(c, 5) {
		s.setMean(zone, s.intensity(c))
		return
	}
	from, values := s.randomCurve(c)
	s.setCurve(zone, from, values)
}

func (s *session) setMean(zone orderbook.ZoneIndex, mean corehour.Intensity) {
	s.run(func(s *session) {
		fell := s.grid.SetMean(zone, mean)
		s.zoneChanged(zone, 0, corehour.MaxMinute, fell, s.model.grid.setMean(zone, mean))
	}, "zone %d: mean %d", zone, mean)
}

func (s *session) setCurve(zone orderbook.ZoneIndex, from corehour.Minute, values []corehour.Intensity) {
	s.run(func(s *session) {
		to := from + corehour.Minute(60*len(values))
		fell := s.grid.Set(s.model.now, zone, from, values)
		s.zoneChanged(zone, from, to, fell, s.model.grid.set(s.model.now, zone, from, values))
	}, "zone %d: from %d %v", zone, from, values)
}

// zoneChanged tells the book where an hour became cleaner, and only there.
func (s *session) zoneChanged(zone orderbook.ZoneIndex, from, to corehour.Minute, have, want bool) {
	if have != want {
		s.failf("zone %d fell: %t, want %t", zone, have, want)
	}
	if !want {
		return
	}
	out := s.model.reconsider(from, to)
	s.compare(s.book.Reconsider(s.model.now, zone, from, to), out)
	s.saw(true, "reconsidered")
	for _, f := range out.Fills {
		t := s.tallies[f.Bid]
		s.saw(true, "cleaner hour filled a bid")
		s.saw(whole(&t.bid), "cleaner hour filled an all-or-none bid")
		s.saw(splittable(&t.bid), "cleaner hour filled a piece")
	}
}

// quote asks for what a bid would take, which the next command of the session
// shows to have changed nothing.
func (s *session) quote(bid orderbook.Bid) {
	bid.PostOnly = false
	s.run(func(s *session) { s.askQuote(bid) }, "quote %s", bid)
}

func (s *session) askQuote(bid orderbook.Bid) {
	have, want := s.book.Quote(s.model.now, bid), s.model.quote(bid)
	if !slices.Equal(have, want) {
		s.failf("the quote is\n%swant\n%s", describeOutcome(orderbook.Outcome{Fills: have}), describeOutcome(orderbook.Outcome{Fills: want}))
	}
	s.saw(len(want) > 0, "quoted")
	s.saw(len(want) > 1, "quoted several leases")
}

func (s *session) depth(c choose) {
	from := s.model.now + s.span(c, 10)
	if s.whole {
		from = s.from(c)
	}
	q := orderbook.DepthQuery{
		Region: regions[c(2+c(3))], CarbonPrice: s.carbonPrice(c), From: from, To: from + s.minute + s.span(c, 8), Levels: pick(c, 20, 20, 1, 2),
	}
	s.run(func(s *session) { s.askDepth(q) }, "depth %+v", q)
}

func (s *session) askDepth(q orderbook.DepthQuery) {
	for _, side := range []struct {
		name       string
		have, want []orderbook.Level
	}{
		{"offers", s.book.OfferDepth(s.model.now, q), s.model.offerDepth(q)},
		{"bids", s.book.BidDepth(s.model.now, q), s.model.bidDepth(q)},
	} {
		if !slices.Equal(side.have, side.want) {
			s.failf("the depth of %s is %v, want %v", side.name, side.have, side.want)
		}
		s.saw(len(side.want) > 1, "levels of "+side.name)
		s.saw(slices.ContainsFunc(side.want, func(l orderbook.Level) bool { return l.Orders > 1 }), "several "+side.name+" on a level")
	}
}

// changeRegions lets a resting bid allow or deny regions in which there is no
// offer, as when a region is new in a country that the bid names.
func (s *session) changeRegions(c choose) {
	bid := s.anyBid(c)
	set := bid.Regions
	for _, r := range regions {
		there := slices.ContainsFunc(s.model.offers, func(o *modelOffer) bool { return o.Region == r })
		if !there && c(2) == 0 {
			set.Allow[r/64] ^= 1 << (r % 64)
			s.seen["regions changed"]++
		}
	}
	id := bid.ID
	s.run(func(s *session) {
		bid := s.model.bid(id)
		if bid == nil || slices.ContainsFunc(s.model.offers, func(o *modelOffer) bool {
			return allowsRegion(&set, o.Region) != allowsRegion(&bid.Regions, o.Region)
		}) {
			return
		}
		bid.Regions = set
		s.tallies[id].bid.Regions = set
		s.book.ChangeRegions(s.bidRefs[id], set)
	}, "%s allows the regions %s", id, describeRegions(set))
}

// useStale names what is not in the book, or not any more.
func (s *session) useStale(c choose) {
	o := s.randomOffer(c)
	o.ID = 1 << 40
	pick := c(1 << 20)
	s.run(func(s *session) {
		bid, offer := orderbook.BidRef(0), orderbook.OfferRef(0)
		if n := len(s.staleBids); n > 0 {
			bid = s.staleBids[pick%n]
		}
		if n := len(s.staleOffers); n > 0 {
			offer = s.staleOffers[pick%n]
		}
		s.useReferences(bid, offer, o)
	}, "use references to what is not in the book")
}

func (s *session) useReferences(bid orderbook.BidRef, offer orderbook.OfferRef, o orderbook.Offer) {
	now := s.model.now
	if open, ok := s.book.CancelBid(bid); ok || open != 0 {
		s.failf("a bid was cancelled twice")
	}
	if out, ok := s.book.ReduceBid(now, bid, 1); ok || len(out.Fills) > 0 {
		s.failf("a bid was reduced that is not in the book")
	}
	if open, left, ok := s.book.Open(bid); ok || open != 0 || left != 0 {
		s.failf("a bid is open that is not in the book")
	}
	if s.book.HasOffer(offer) || s.book.CancelOffer(offer) {
		s.failf("an offer was cancelled twice")
	}
	if s.book.ReduceOffer(now, offer, 1) {
		s.failf("an offer was reduced that is not in the book")
	}
	if free, ok := s.book.Free(offer, now, now+1); ok || free != 0 {
		s.failf("an offer has something free that is not in the book")
	}
	if _, out, ok := s.book.AmendOffer(now, offer, o); ok || len(out.Fills) > 0 {
		s.failf("an offer was amended that is not in the book")
	}
	s.compare(s.book.Release(now, offer, 1, now, now+10), orderbook.Outcome{})
	s.book.RestoreLease(offer, 1, now, now+10)
	s.saw(bid != 0, "stale bid")
	s.saw(offer != 0, "stale offer")
}

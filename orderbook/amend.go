package orderbook

import (
	"github.com/corehour/corehour"
)

// ReduceBid lowers what a resting bid still seeks to so many units, and its
// minimum fill with it where that is more. The bid keeps its arrival. Because
// fewer units can fit where more did not, it is tried against all offers. ok is
// false, and nothing happens, where no such bid rests or it seeks no more than
// that already.
func (b *Book) ReduceBid(now corehour.Minute, ref BidRef, units corehour.Units) (o Outcome, ok bool) {
	b.begin(now)
	slot, ok := b.demand.at(uint64(ref))
	if !ok || units < 1 || units >= corehour.Units(b.demand.orders.at(slot).open) {
		return b.outcome(), false
	}
	r := b.demand.orders.at(slot)
	r.open = int32(units)
	if !r.queued {
		t := b.bidTermsOf(r)
		t.minFill = min(t.minFill, r.open)
		b.unindexBid(slot)
		b.indexBid(slot)
		b.tidyDemand()
	}
	b.retry(slot)
	b.finishTurns()
	return b.outcome(), true
}

// ReduceOffer lowers what an offer sells in all to so many units. The offer
// keeps its arrival. ok is false, and nothing happens, where there is no such
// offer, it has no more than that already, its minimum fill is more, or more is
// sold at some minute from now on.
func (b *Book) ReduceOffer(now corehour.Minute, ref OfferRef, units corehour.Units) (ok bool) {
	b.begin(now)
	slot, ok := b.supply.at(uint64(ref))
	if !ok {
		return false
	}
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	less := corehour.Units(o.units) - units
	from, to := max(corehour.Minute(t.from), now), corehour.Minute(t.to)
	if less <= 0 || units < corehour.Units(t.minFill) {
		return false
	}
	if from >= to {
		// Its window has passed, and nothing of it can be sold or come back.
		o.units = int32(units)
		return true
	}
	if b.fewest(o, from, to) < less {
		return false
	}
	o.units = int32(units)
	if o.steps == 0 {
		o.open -= int32(less)
	} else {
		c := b.capacity.at(o.steps)
		c.trim(now)
		c.units = units
		for i := range c.steps {
			c.steps[i].free -= less
		}
	}
	b.touch(slot)
	b.settle()
	return true
}

// AmendOffer replaces an offer by another of the same ID with an arrival of its
// own. What is sold of the old one from now on is sold of the new one. ok is
// false, and nothing happens, where there is no such offer or where the new
// window or units do not cover what is sold. A post-only one that would trade
// is refused, and the old one stays as it was.
func (b *Book) AmendOffer(now corehour.Minute, ref OfferRef, o Offer) (amended OfferRef, out Outcome, ok bool) {
	b.begin(now)
	old, ok := b.supply.at(uint64(ref))
	if !ok {
		return 0, b.outcome(), false
	}
	if b.suspended[old] {
		panic("orderbook: a suspended offer is not amended")
	}
	sold := b.soldOf(old)
	for _, l := range sold {
		if l.from < o.From || l.to > o.To || l.units > o.Units {
			return 0, b.outcome(), false
		}
	}
	b.unindex(old)
	b.tidySupply()
	slot := b.admit(&o)
	b.index(slot)
	for _, l := range sold {
		b.change(slot, l.from, l.to, -l.units)
	}
	b.settle()
	if o.PostOnly && b.wouldTrade(slot) {
		b.forget(slot)
		b.index(old)
		return ref, Outcome{Refused: true}, true
	}
	b.forget(old)
	b.allot(slot, o.From, o.To)
	b.settle()
	return OfferRef(b.supply.reference(slot)), b.outcome(), true
}

// sale is units of an offer sold over [from, to).
type sale struct {
	from, to corehour.Minute
	units    corehour.Units
}

// soldOf lists what is sold of an offer from now on, in order of time.
func (b *Book) soldOf(slot uint32) (sold []sale) {
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	from, to := max(corehour.Minute(t.from), b.now), corehour.Minute(t.to)
	if from >= to {
		return nil
	}
	if o.steps == 0 {
		if o.open < o.units {
			sold = append(sold, sale{from, to, corehour.Units(o.units - o.open)})
		}
		return sold
	}
	c := b.capacity.at(o.steps)
	for i := range c.steps {
		if units := c.units - c.steps[i].free; units > 0 && c.end(i) > from {
			sold = append(sold, sale{max(c.steps[i].at, from), c.end(i), units})
		}
	}
	return sold
}

// ChangeRegions gives a resting bid another set of regions. It is for a region
// that is new and sells nothing yet: nothing is matched.
func (b *Book) ChangeRegions(ref BidRef, set RegionSet) {
	slot, ok := b.demand.at(uint64(ref))
	if !ok {
		return
	}
	r := b.demand.orders.at(slot)
	t := *b.bidTermsOf(r)
	b.unindexBid(slot)
	var regions uint32
	if !set.everywhere() {
		regions, _ = b.regions.take(&set)
	}
	providers := ProviderSet{AllowAll: true}
	if t.providers != 0 {
		providers = *b.providers.at(t.providers)
	}
	b.disagree(r)
	if t.regions = regions; t.providers != 0 {
		t.providers = b.providers.take(providers)
	}
	b.agree(r, &t)
	b.indexBid(slot)
	b.tidyDemand()
}

// Reconsider tries resting bids again after the intensity of a zone, NoZone for
// any, fell at some hour of [from, to): those with a carbon price or cap whose
// window shares a minute with it, in the order of their arrival. It passes over
// all resting bids.
func (b *Book) Reconsider(now corehour.Minute, zone ZoneIndex, from, to corehour.Minute) Outcome {
	b.begin(now)
	var slots []uint32
	for slot := uint32(1); slot < b.demand.orders.next; slot++ {
		if !b.demand.has(slot) {
			continue
		}
		t := b.bidTermsOf(b.demand.orders.at(slot))
		if (t.carbonPrice > 0 || corehour.CarbonRate(t.maxCarbon) < NoCarbonCap) &&
			corehour.Minute(t.earliest) < to && corehour.Minute(t.latestEnd) > from {
			slots = append(slots, slot)
		}
	}
	b.demand.byArrival(slots)
	for _, slot := range slots {
		if b.demand.has(slot) && (zone == NoZone || b.mayMeet(slot, zone)) {
			b.retry(slot)
		}
	}
	b.finishTurns()
	return b.outcome()
}

// mayMeet reports whether a change of a zone can matter to a resting bid: what
// was no lease of another zone's offer is none now. All-or-none bids combine
// offers, so any may.
func (b *Book) mayMeet(slot uint32, zone ZoneIndex) bool {
	bid := &b.work
	b.load(slot, bid)
	if bid.allOrNone() {
		return true
	}
	b.beginSearch(bid)
	for _, i := range b.search.heap {
		if b.classes[i.class].zone == zone {
			return true
		}
	}
	return false
}

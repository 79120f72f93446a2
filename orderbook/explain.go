package orderbook

import (
	"slices"

	"github.com/corehour/corehour"
)

// Quote lists the fills that a bid would get if it came now. Nothing changes.
func (b *Book) Quote(now corehour.Minute, bid Bid) []Fill {
	b.begin(now)
	checkBid(&bid)
	b.fillFromAll(&bid)
	quoted := slices.Clone(b.fills)
	b.undo()
	return quoted
}

// Explain tells what a bid would get now and, where that is not everything,
// which single changes would get it everything. Each change was tried. It is the
// smallest where a larger one of the same condition helps whenever a smaller one
// does; all-or-none bids, which fill greedily, can be an exception.
func (b *Book) Explain(now corehour.Minute, bid Bid) Explanation {
	b.begin(now)
	checkBid(&bid)
	var e Explanation
	if e.Fills, e.Filled = b.attempt(bid); e.Filled {
		return e
	}
	for _, relax := range []func(Bid) (Change, bool){
		b.relaxLimit, b.relaxCarbon, b.relaxRegions, b.relaxWindow, b.relaxSize, b.relaxProviders, b.relaxSLA,
		b.relaxInterruptible, b.relaxTakeOrPay,
	} {
		if change, ok := relax(bid); ok {
			e.Changes = append(e.Changes, change)
		}
	}
	return e
}

// attempt fills a bid, notes the fills and gives them back.
func (b *Book) attempt(bid Bid) (fills []Fill, filled bool) {
	b.fillFromAll(&bid)
	fills, filled = slices.Clone(b.fills), bid.done()
	b.undo()
	return fills, filled
}

// wouldFill reports whether a bid would fill completely.
func (b *Book) wouldFill(bid Bid) bool {
	_, filled := b.attempt(bid)
	return filled
}

// least finds the least n in (low, high] with which a changed bid fills, knowing
// that low does not and high does.
func (b *Book) least(low, high int64, bid Bid, set func(*Bid, int64)) int64 {
	for high-low > 1 {
		middle := low + (high-low)/2
		if set(&bid, middle); b.wouldFill(bid) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

func (b *Book) relaxLimit(bid Bid) (Change, bool) {
	low := int64(bid.Limit / corehour.Tick)
	high := int64(corehour.MaxPrice / corehour.Tick)
	set := func(bid *Bid, ticks int64) { bid.Limit = corehour.Price(ticks) * corehour.Tick }
	if set(&bid, high); !b.wouldFill(bid) {
		return Change{}, false
	}
	ticks := b.least(low, high, bid, set)
	return Change{Condition: ConditionPrice, Limit: corehour.Price(ticks) * corehour.Tick}, true
}

func (b *Book) relaxCarbon(bid Bid) (Change, bool) {
	if bid.MaxCarbon >= NoCarbonCap {
		return Change{}, false
	}
	low := int64(bid.MaxCarbon)
	set := func(bid *Bid, rate int64) { bid.MaxCarbon = corehour.CarbonRate(rate) }
	if set(&bid, int64(NoCarbonCap)); !b.wouldFill(bid) {
		return Change{}, false
	}
	return Change{Condition: ConditionCarbon, MaxCarbon: corehour.CarbonRate(b.least(low, int64(NoCarbonCap), bid, set))}, true
}

// costOf is what fills cost the bid at effective prices, for comparison.
func (b *Book) costOf(bid *Bid, fills []Fill) (c cost) {
	for i := range fills {
		f := &fills[i]
		effective := f.Price + corehour.CarbonCost(bid.CarbonPrice, f.Carbon)
		c = c.plus(f.Units*corehour.Units(f.End.Sub(f.Start)), int64(effective))
	}
	return c
}

// relaxRegions looks for the one region more with which the bid fills cheapest.
func (b *Book) relaxRegions(bid Bid) (Change, bool) {
	allowed := bid.Regions
	if bid.Regions = (RegionSet{AllowAll: true}); allowed.everywhere() || !b.wouldFill(bid) {
		return Change{}, false
	}
	var best Change
	var least cost
	for region := RegionIndex(0); region < corehour.MaxRegions; region++ {
		if !b.selling.has(region) || allowed.Has(region) {
			continue
		}
		bid.Regions = allowed
		bid.Regions.Allow.Set(region)
		bid.Regions.Deny[region/64] &^= 1 << (region % 64)
		fills, filled := b.attempt(bid)
		if !filled {
			continue
		}
		if c := b.costOf(&bid, fills); best.Condition == 0 || c.compare(least) < 0 {
			best, least = Change{Condition: ConditionRegion, Region: region}, c
		}
	}
	return best, best.Condition != 0
}

// relaxWindow looks for the earliest end of the window with which the bid fills.
func (b *Book) relaxWindow(bid Bid) (Change, bool) {
	low, high := int64(bid.LatestEnd), int64(min(bid.LatestEnd.Add(corehour.MaxDuration), corehour.MaxMinute))
	set := func(bid *Bid, end int64) { bid.LatestEnd = corehour.Minute(end) }
	if set(&bid, high); low >= high || !b.wouldFill(bid) {
		return Change{}, false
	}
	return Change{Condition: ConditionWindow, LatestEnd: corehour.Minute(b.least(low, high, bid, set))}, true
}

// relaxSize looks for the most units with which the bid fills.
func (b *Book) relaxSize(bid Bid) (Change, bool) {
	// The search is for the least number of units less.
	units, minFill := bid.Units, bid.MinFill
	set := func(bid *Bid, less int64) {
		bid.Units = units - corehour.Units(less)
		bid.MinFill = min(minFill, bid.Units)
	}
	if set(&bid, int64(units-1)); units == 1 || !b.wouldFill(bid) {
		return Change{}, false
	}
	less := b.least(0, int64(units-1), bid, set)
	return Change{Condition: ConditionSize, Units: units - corehour.Units(less)}, true
}

// relaxProviders looks for the one provider more with which the bid fills
// cheapest, among those with which it would fill if it allowed all.
func (b *Book) relaxProviders(bid Bid) (Change, bool) {
	allowed := bid.Providers
	bid.Providers = ProviderSet{AllowAll: true}
	if allowed.everyone() || !b.wouldFill(bid) {
		return Change{}, false
	}
	b.fillFromAll(&bid)
	var others []ProviderIndex
	for _, slot := range b.sold {
		if p := ProviderIndex(b.offers.at(slot).provider); !allowed.Has(p) && !slices.Contains(others, p) {
			others = append(others, p)
		}
	}
	b.undo()
	slices.Sort(others)
	var best Change
	var least cost
	for _, p := range others {
		bid := bid
		bid.Providers = ProviderSet{AllowAll: allowed.AllowAll, Allow: slices.Clone(allowed.Allow)}
		for _, denied := range allowed.Deny {
			if denied != p {
				bid.Providers.Deny = append(bid.Providers.Deny, denied)
			}
		}
		if at, listed := slices.BinarySearch(bid.Providers.Allow, p); !listed {
			bid.Providers.Allow = slices.Insert(bid.Providers.Allow, at, p)
		}
		fills, filled := b.attempt(bid)
		if !filled {
			continue
		}
		if c := b.costOf(&bid, fills); best.Condition == 0 || c.compare(least) < 0 {
			best, least = Change{Condition: ConditionProvider, Provider: p}, c
		}
	}
	return best, best.Condition != 0
}

func (b *Book) relaxSLA(bid Bid) (Change, bool) {
	for bid.MinSLA > corehour.SLABasic {
		if bid.MinSLA--; b.wouldFill(bid) {
			return Change{Condition: ConditionSLA, MinSLA: bid.MinSLA}, true
		}
	}
	return Change{}, false
}

func (b *Book) relaxInterruptible(bid Bid) (Change, bool) {
	if bid.Interruptible {
		return Change{}, false
	}
	bid.Interruptible = true
	return Change{Condition: ConditionInterruptible}, b.wouldFill(bid)
}

func (b *Book) relaxTakeOrPay(bid Bid) (Change, bool) {
	low, high := int64(bid.MaxTakeOrPay), int64(corehour.WholeShare)
	set := func(bid *Bid, share int64) { bid.MaxTakeOrPay = corehour.BasisPoints(share) }
	if set(&bid, high); low >= high || !b.wouldFill(bid) {
		return Change{}, false
	}
	return Change{Condition: ConditionTakeOrPay, MaxTakeOrPay: corehour.BasisPoints(b.least(low, high, bid, set))}, true
}

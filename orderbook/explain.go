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
// which single changes would get it everything. Each change was tried. Figures
// are searched in growing steps from what the bid says and then between the last
// one that did not help and the first that did, so a change is the smallest where
// a larger one helps whenever a smaller one does. With minimum fills, a bounded
// number of leases or all or none that is not always so: then a smaller one may
// exist. It costs some hundred quotes at most.
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

// least looks for the least n in (low, high] with which a changed bid fills.
func (b *Book) least(low, high int64, bid Bid, set func(*Bid, int64)) (n int64, ok bool) {
	fills := func(n int64) bool {
		set(&bid, n)
		return b.wouldFill(bid)
	}
	first := low
	for step := int64(1); ; step *= 2 {
		at := min(first+step, high)
		if at <= low {
			return 0, false
		}
		if fills(at) {
			high = at
			break
		}
		low = at
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; fills(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, true
}

func (b *Book) relaxLimit(bid Bid) (Change, bool) {
	low, high := int64(bid.Limit/corehour.Tick), int64(corehour.MaxPrice/corehour.Tick)
	ticks, ok := b.least(low, high, bid, func(bid *Bid, ticks int64) { bid.Limit = corehour.Price(ticks) * corehour.Tick })
	return Change{Condition: ConditionPrice, Limit: corehour.Price(ticks) * corehour.Tick}, ok
}

func (b *Book) relaxCarbon(bid Bid) (Change, bool) {
	rate, ok := b.least(int64(bid.MaxCarbon), int64(NoCarbonCap), bid, func(bid *Bid, rate int64) { bid.MaxCarbon = corehour.CarbonRate(rate) })
	return Change{Condition: ConditionCarbon, MaxCarbon: corehour.CarbonRate(rate)}, ok
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
	end, ok := b.least(low, high, bid, func(bid *Bid, end int64) { bid.LatestEnd = corehour.Minute(end) })
	return Change{Condition: ConditionWindow, LatestEnd: corehour.Minute(end)}, ok
}

// relaxSize looks for the most units with which the bid fills: the search is for
// the least number of units less.
func (b *Book) relaxSize(bid Bid) (Change, bool) {
	units, minFill := bid.Units, bid.MinFill
	less, ok := b.least(0, int64(units-1), bid, func(bid *Bid, less int64) {
		bid.Units = units - corehour.Units(less)
		bid.MinFill = min(minFill, bid.Units)
	})
	return Change{Condition: ConditionSize, Units: units - corehour.Units(less)}, ok
}

// relaxProviders looks for the one provider more with which the bid fills
// cheapest, among those of which it would take leases if it allowed all.
func (b *Book) relaxProviders(bid Bid) (Change, bool) {
	allowed := bid.Providers
	if allowed.everyone() {
		return Change{}, false
	}
	open := bid
	open.Providers = ProviderSet{AllowAll: true}
	b.fillFromAll(&open)
	var others []ProviderIndex
	for _, slot := range b.sold {
		if p := ProviderIndex(b.offerTermsOf(b.supply.orders.at(slot)).provider); !allowed.Has(p) && !slices.Contains(others, p) {
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
	share, ok := b.least(int64(bid.MaxTakeOrPay), int64(corehour.WholeShare), bid, func(bid *Bid, share int64) {
		bid.MaxTakeOrPay = corehour.BasisPoints(share)
	})
	return Change{Condition: ConditionTakeOrPay, MaxTakeOrPay: corehour.BasisPoints(share)}, ok
}

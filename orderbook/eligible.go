package orderbook

import (
	"slices"

	"github.com/corehour/corehour"
)

// has reports whether the set holds a region.
func (r *RegionBits) has(i RegionIndex) bool {
	return r[i/64]>>(i%64)&1 != 0
}

// Set adds a region.
func (r *RegionBits) Set(i RegionIndex) { r[i/64] |= 1 << (i % 64) }

// Has reports whether the bid allows the region; deny wins over allow.
func (s *RegionSet) Has(i RegionIndex) bool {
	return (s.AllowAll || s.Allow.has(i)) && !s.Deny.has(i)
}

// Has reports whether the bid allows the provider; deny wins over allow.
func (s *ProviderSet) Has(i ProviderIndex) bool {
	if !s.AllowAll {
		if _, listed := slices.BinarySearch(s.Allow, i); !listed {
			return false
		}
	}
	if len(s.Deny) == 0 {
		return true
	}
	_, denied := slices.BinarySearch(s.Deny, i)
	return !denied
}

// eligible applies the hard conditions that do not depend on time and returns
// the bid's effective price of the offer.
func eligible(bid *Bid, o *Offer) (effective corehour.Price, ok bool) {
	if o.Price > bid.Limit || o.Carbon.Rate > bid.MaxCarbon || o.MinFill > bid.Units || o.MinDuration > bid.Duration {
		return 0, false
	}
	if o.SLA < bid.MinSLA || o.Interruptible && !bid.Interruptible || o.Org == bid.Org {
		return 0, false
	}
	if !bid.Regions.Has(o.Region) || !bid.Providers.Has(o.Provider) {
		return 0, false
	}
	effective = o.Price + corehour.CarbonCost(bid.CarbonPrice, o.Carbon.Rate)
	return effective, effective <= bid.Limit
}

// starts is the range of minutes at which a lease of the bid may start on the
// offer, as far as the two windows and the present go; it is empty where
// first > last.
func starts(now corehour.Minute, bid *Bid, o *Offer) (first, last corehour.Minute) {
	return max(bid.EarliestStart, o.From, now), min(bid.LatestEnd, o.To).Add(-bid.Duration)
}

// pays is what the bid would pay the offer for a unit-hour at most: what its
// limit leaves after its own price of the offer's carbon.
func pays(bid *Bid, o *Offer) corehour.Price {
	return bid.Limit - corehour.CarbonCost(bid.CarbonPrice, o.Carbon.Rate)
}

// price is what a fill costs: of bid and offer the one that came first sets it.
func price(bid *Bid, o *Offer) corehour.Price {
	if o.Arrival < bid.Arrival {
		return o.Price
	}
	return pays(bid, o).FloorToTick()
}

// allOrNone reports whether the bid fills completely or not at all.
func (bid *Bid) allOrNone() bool {
	return bid.AllOrNone || bid.TimeInForce == corehour.FillOrKill
}

// rests reports whether the bid's time in force lets it wait in the book.
func (bid *Bid) rests() bool {
	return bid.TimeInForce == corehour.GoodTillCancelled || bid.TimeInForce == corehour.GoodTillTime
}

// atLeast is the fewest units the bid wants in its next lease: its minimum fill,
// or all that is open where that is less. The leases of an all-or-none bid may
// have any size, because together they are the whole.
func (bid *Bid) atLeast() corehour.Units {
	if bid.allOrNone() {
		return 1
	}
	return min(bid.MinFill, bid.Units)
}

// seeks reports whether the bid wants another lease and may have it.
func (bid *Bid) seeks() bool { return bid.Units > 0 && bid.MaxLeases > 0 }

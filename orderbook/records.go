package orderbook

import (
	"github.com/corehour/corehour"
)

// pieceOf is the length of the next lease of a bid: its duration, or the next
// piece of a splittable one, which is as short as the number of leases left and
// the least piece allow, and leaves no rest that is shorter than a piece.
func pieceOf(duration, minPiece corehour.Minutes, leases int) corehour.Minutes {
	if minPiece == 0 {
		return duration
	}
	left := corehour.Minutes(leases)
	d := min(duration, max(minPiece, (duration+left-1)/left))
	if rest := duration - d; rest > 0 && rest < minPiece {
		d = duration
	}
	return d
}

func (bid *Bid) splittable() bool { return bid.MinPiece > 0 }

// piece is the length of the bid's next lease.
func (bid *Bid) piece() corehour.Minutes { return pieceOf(bid.Duration, bid.MinPiece, bid.MaxLeases) }

// allOrNone reports whether the bid fills completely or not at all.
func (bid *Bid) allOrNone() bool {
	return bid.AllOrNone || bid.TimeInForce == corehour.FillOrKill
}

// rests reports whether the bid's time in force lets it wait in the book.
func (bid *Bid) rests() bool {
	return bid.TimeInForce == corehour.GoodTillCancelled || bid.TimeInForce == corehour.GoodTillTime
}

// atLeast is the fewest units the bid wants in its next lease: its minimum fill,
// or all that is open where that is less or where it takes its time in pieces.
// The leases of an all-or-none bid may have any size, because together they are
// the whole.
func (bid *Bid) atLeast() corehour.Units {
	switch {
	case bid.splittable():
		return bid.Units
	case bid.allOrNone():
		return 1
	}
	return min(bid.MinFill, bid.Units)
}

// done reports whether nothing is open.
func (bid *Bid) done() bool { return bid.Units == 0 || bid.Duration == 0 }

// seeks reports whether the bid wants another lease and may have it.
func (bid *Bid) seeks() bool { return !bid.done() && bid.MaxLeases > 0 }

// has reports whether the set holds a region.
func (r *RegionBits) has(i RegionIndex) bool { return r[i/64]>>(i%64)&1 != 0 }

// Set adds a region.
func (r *RegionBits) Set(i RegionIndex) { r[i/64] |= 1 << (i % 64) }

// Has reports whether the bid allows the region; deny wins over allow.
func (s *RegionSet) Has(i RegionIndex) bool {
	return (s.AllowAll || s.Allow.has(i)) && !s.Deny.has(i)
}

// everywhere reports whether the set leaves no region out.
func (s *RegionSet) everywhere() bool { return s.AllowAll && s.Deny == RegionBits{} }

// Has reports whether the bid allows the provider; deny wins over allow.
func (s *ProviderSet) Has(i ProviderIndex) bool {
	return (s.AllowAll || contains(s.Allow, i)) && !contains(s.Deny, i)
}

func (s *ProviderSet) everyone() bool { return s.AllowAll && len(s.Deny) == 0 }

// contains searches a sorted list.
func contains(list []ProviderIndex, i ProviderIndex) bool {
	low, high := 0, len(list)
	for low < high {
		if middle := int(uint(low+high) / 2); list[middle] < i {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low < len(list) && list[low] == i
}

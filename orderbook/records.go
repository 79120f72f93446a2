package orderbook

import (
	"github.com/corehour/corehour"
)

// offerRecord is an offer in the book. It holds no pointers, so that millions of
// them cost the collector nothing. Minutes fit 32 bits (corehour.MaxMinute),
// units fit 31.
type offerRecord struct {
	id, arrival uint64
	price       int64
	from, to    uint32
	provider    uint32
	org         uint32
	units       int32
	free        int32 // at every minute to come, where steps is none
	minFill     int32
	minDuration int32
	factor      uint32 // energy, or the asserted rate where the class has no zone
	class       uint32
	steps       uint32 // its capacity, where that differs by time
	takeOrPay   uint16
	touched     bool // its lots are not yet what its capacity says
}

// bidRecord is a resting bid, without pointers too.
type bidRecord struct {
	id, arrival uint64
	limit       int64
	carbonPrice int64
	group       uint64
	earliest    uint32
	latestEnd   uint32
	units       int32
	minFill     int32
	duration    int32
	minPiece    int32
	org         uint32
	maxCarbon   uint32
	maxLeases   int32
	class       uint32
	regions     uint32 // in Book.regions; none allows all
	providers   uint32 // in Book.providers; none allows all
	taken       uint32 // in Book.taken; none is none
	takeOrPay   uint16
	sla         uint8
	force       uint8
	flags       uint8
	touched     bool
}

const (
	bidInterruptible = 1 << iota
	bidAllOrNone
)

// offerTerms are what all offers of a queue have in common, beside class and
// times.
type offerTerms struct {
	price       int64
	provider    uint32
	org         uint32
	factor      uint32
	minDuration int32
	takeOrPay   uint16
}

func (o *offerRecord) terms() offerTerms {
	return offerTerms{o.price, o.provider, o.org, o.factor, o.minDuration, o.takeOrPay}
}

// bidTerms are what all bids of a queue have in common, beside class and times.
type bidTerms struct {
	limit       int64
	carbonPrice int64
	org         uint32
	duration    int32
	maxCarbon   uint32
	regions     uint32
	takeOrPay   uint16
}

func (r *bidRecord) terms() bidTerms {
	return bidTerms{r.limit, r.carbonPrice, r.org, r.duration, r.maxCarbon, r.regions, r.takeOrPay}
}

// reference packs a slot and its generation, so that a reference to what has
// left the book finds nothing.
func reference(slot, generation uint32) uint64 { return uint64(generation)<<32 | uint64(slot) }

// offerAt is the slot of an offer in the book.
func (b *Book) offerAt(ref OfferRef) (slot uint32, ok bool) {
	slot = uint32(ref)
	if slot == 0 || slot >= b.offers.next {
		return 0, false
	}
	g := b.offerLinks.at(slot).generation
	return slot, g == uint32(ref>>32) && g&1 == 1
}

// bidAt is the slot of a resting bid.
func (b *Book) bidAt(ref BidRef) (slot uint32, ok bool) {
	slot = uint32(ref)
	if slot == 0 || slot >= b.bids.next {
		return 0, false
	}
	g := b.bidLinks.at(slot).generation
	return slot, g == uint32(ref>>32) && g&1 == 1
}

// carbon is the profile of an offer of a class.
func (o *offerRecord) carbon(c *offerClass) Carbon {
	if c.zone == NoZone {
		return Carbon{Rate: corehour.CarbonRate(o.factor)}
	}
	return Carbon{Zone: c.zone, Energy: corehour.Energy(o.factor)}
}

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

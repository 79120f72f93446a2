package orderbook

import (
	"math/bits"
	"slices"

	"github.com/corehour/corehour"
)

// bidKind is what is alike for all bids of a class, so that an offer passes over
// classes and not over bids where one of these keeps it away. Carbon prices are
// near each other in a class, so that limits rank its bids well.
type bidKind struct {
	regions       uint32 // in Book.regions; anyRegions for sets that are too many to tell apart
	carbon        uint16 // bucket of the carbon price
	sla           corehour.SLA
	interruptible bool
}

const anyRegions = ^uint32(0)

// bidClass is the resting bids of one kind.
type bidClass struct {
	bidKind
	lots  int
	price corehour.CarbonPrice // no bid of the class has a lower one
}

// bidClasses are the classes in use, by number.
type bidClasses struct {
	all   []bidClass
	named map[bidKind]uint32
	free  []uint32
}

// exactClasses bounds how many classes tell sets of regions apart and have fine
// carbon prices; past it bids share coarse ones, whose number is bounded by that
// of carbon prices' powers of two.
const exactClasses = 512

// bucketOf numbers carbon prices so that those of one bucket are within an
// eighth of each other, or within a factor of two if coarse.
func bucketOf(price corehour.CarbonPrice, coarse bool) (bucket uint16, least corehour.CarbonPrice) {
	if price == 0 {
		return 0, 0
	}
	length := bits.Len64(uint64(price))
	if coarse || length < 4 {
		return uint16(length * 8), 1 << (length - 1)
	}
	top := uint64(price) >> (length - 4) // 8 to 15
	return uint16(length*8) + uint16(top-8), corehour.CarbonPrice(top << (length - 4))
}

// bidClassFor finds or makes the class of bids with some terms.
func (b *Book) bidClassFor(t *bidTerms) uint32 {
	cs := &b.bidClasses
	bucket, least := bucketOf(t.carbonPrice, false)
	kind := bidKind{t.regions, bucket, t.sla, t.interruptible}
	if id, ok := cs.named[kind]; ok {
		return id
	}
	if len(cs.named) >= exactClasses {
		kind.carbon, least = bucketOf(t.carbonPrice, true)
		kind.regions = anyRegions
		if id, ok := cs.named[kind]; ok {
			return id
		}
	}
	var id uint32
	if n := len(cs.free); n > 0 {
		id, cs.free = cs.free[n-1], cs.free[:n-1]
	} else {
		id = uint32(len(cs.all))
		cs.all, b.demand.trees = append(cs.all, bidClass{}), append(b.demand.trees, tree{})
	}
	cs.all[id], b.demand.trees[id] = bidClass{bidKind: kind, price: least}, tree{sum: nothing}
	cs.named[kind] = id
	return id
}

// bidTerms is all that bids of a ladder have in common, or what a bid has for
// itself.
type bidTerms struct {
	carbonPrice   corehour.CarbonPrice
	group         corehour.BidID
	earliest      uint32
	latestEnd     uint32
	org           uint32
	maxCarbon     uint32
	regions       uint32 // in Book.regions; none allows all
	providers     uint32 // in Book.providers; none allows all
	duration      int32
	minPiece      int32
	minFill       int32
	takeOrPay     uint16
	sla           corehour.SLA
	force         corehour.TimeInForce
	interruptible bool
	allOrNone     bool
}

// plain reports whether bids of these terms may wait in a ladder with others.
func (t *bidTerms) plain() bool {
	return t.minFill == 1 && t.minPiece == 0 && !t.allOrNone && t.providers == 0 && t.group == 0
}

// are reports whether plain terms are those of a bid that seeks capacity of all
// regions.
func (t *bidTerms) are(bid *Bid) bool {
	return t.regions == 0 && bid.Regions.everywhere() && bid.Providers.everyone() && bid.Group == 0 && !bid.AllOrNone &&
		bid.MinPiece == 0 && bid.MinFill == 1 && t.earliest == uint32(bid.EarliestStart) && t.latestEnd == uint32(bid.LatestEnd) &&
		t.duration == int32(bid.Duration) && t.org == uint32(bid.Org) && t.carbonPrice == bid.CarbonPrice &&
		t.maxCarbon == uint32(bid.MaxCarbon) && t.sla == bid.MinSLA && t.interruptible == bid.Interruptible &&
		t.takeOrPay == uint16(bid.MaxTakeOrPay) && t.force == bid.TimeInForce
}

func (b *Book) bidTermsOf(r *order) *bidTerms { return b.bidTerms.at(r.terms) }

// rest lets a bid wait in the book.
func (b *Book) rest(bid *Bid) BidRef {
	slot := b.demand.orders.take()
	r := b.demand.orders.at(slot)
	r.start(uint64(bid.ID), bid.Arrival, int64(bid.Limit), int32(bid.Units), 0)
	r.leases = uint16(bid.MaxLeases)
	// Mostly a bid is like the last one.
	if last := b.bidTerms.latest(); last != nil && last.value.are(bid) {
		last.users++
		r.terms = b.bidTerms.recent
		b.indexBid(slot)
		return BidRef(b.demand.reference(slot))
	}
	t := bidTerms{
		carbonPrice: bid.CarbonPrice, group: bid.Group, earliest: uint32(bid.EarliestStart), latestEnd: uint32(bid.LatestEnd),
		org: uint32(bid.Org), maxCarbon: uint32(bid.MaxCarbon), duration: int32(bid.Duration), minPiece: int32(bid.MinPiece),
		minFill: int32(bid.MinFill), takeOrPay: uint16(bid.MaxTakeOrPay), sla: bid.MinSLA, force: bid.TimeInForce,
		interruptible: bid.Interruptible, allOrNone: bid.AllOrNone,
	}
	if !bid.Regions.everywhere() {
		t.regions, _ = b.regions.take(&bid.Regions)
	}
	if !bid.Providers.everyone() {
		t.providers = b.providers.take(bid.Providers)
	}
	if bid.Group != 0 {
		b.groups[bid.Group] = append(b.groups[bid.Group], slot)
	}
	if len(bid.Taken) > 0 {
		r.taken = b.taken.take(bid.Taken)
	}
	b.agree(r, &t)
	b.indexBid(slot)
	return BidRef(b.demand.reference(slot))
}

// agree gives a resting bid its terms, which hold a set of regions and a list of
// providers for it. Those of a plain bid are shared.
func (b *Book) agree(r *order, t *bidTerms) {
	var fresh bool
	if t.plain() {
		if r.terms, fresh = b.bidTerms.take(t); !fresh {
			// The others hold the set already.
			b.regions.give(t.regions)
			return
		}
	} else {
		r.terms = b.bidTerms.own(t)
	}
	b.bidTerms.values.at(r.terms).class = b.bidClassFor(t)
}

// disagree takes the terms of a bid that is in no lot away.
func (b *Book) disagree(r *order) {
	if t := b.bidTermsOf(r); b.bidTerms.sole(r.terms) {
		b.regions.give(t.regions)
		b.providers.give(t.providers)
	}
	b.bidTerms.give(r.terms)
	r.terms = 0
}

// keep notes what of a bid changes while it rests.
func (b *Book) keep(r *order, bid *Bid) {
	r.open, r.leases = int32(bid.Units), uint16(bid.MaxLeases)
	if t := b.bidTermsOf(r); !t.plain() {
		t.minFill, t.duration = int32(bid.MinFill), int32(bid.Duration)
	}
	if len(bid.Taken) > 0 && r.taken == 0 {
		r.taken = b.taken.take(bid.Taken)
	} else if r.taken != 0 {
		*b.taken.at(r.taken) = bid.Taken
	}
}

// load reads a resting bid as an order.
func (b *Book) load(slot uint32, bid *Bid) {
	r := b.demand.orders.at(slot)
	t := b.bidTermsOf(r)
	*bid = Bid{
		ID: corehour.BidID(r.id), Arrival: r.arrival, Org: OrgIndex(t.org), Units: corehour.Units(r.open),
		Duration: corehour.Minutes(t.duration), EarliestStart: corehour.Minute(t.earliest), LatestEnd: corehour.Minute(t.latestEnd),
		Limit: corehour.Price(r.price), MaxCarbon: corehour.CarbonRate(t.maxCarbon), CarbonPrice: t.carbonPrice,
		MinSLA: t.sla, Interruptible: t.interruptible, MaxTakeOrPay: corehour.BasisPoints(t.takeOrPay),
		MinFill: corehour.Units(t.minFill), AllOrNone: t.allOrNone, MaxLeases: int(r.leases),
		TimeInForce: t.force, MinPiece: corehour.Minutes(t.minPiece), Group: t.group,
	}
	bid.Regions.AllowAll, bid.Providers.AllowAll = true, true
	if t.regions != 0 {
		bid.Regions = *b.regions.at(t.regions)
	}
	if t.providers != 0 {
		bid.Providers = *b.providers.at(t.providers)
	}
	if r.taken != 0 {
		bid.Taken = *b.taken.at(r.taken)
	}
}

// pieceOf is the length of the next lease of a resting bid.
func (t *bidTerms) piece(r *order) corehour.Minutes {
	return pieceOf(corehour.Minutes(t.duration), corehour.Minutes(t.minPiece), int(r.leases))
}

// atLeast is what Bid.atLeast is, of a resting bid.
func (t *bidTerms) atLeast(r *order) int32 {
	switch {
	case t.minPiece > 0:
		return r.open
	case t.allOrNone:
		return 1
	}
	return min(t.minFill, r.open)
}

// The times of a lot of bids: lo is the earliest end of a lease and hi its latest
// start. What an offer must have of length, room and so on is complemented,
// because a lot is found where it has at least so much.

func (b *Book) boundsOf(r *order, l *lot) bounds {
	t := b.bidTermsOf(r)
	mask := ^uint64(0)
	if t.regions != 0 {
		set := b.regions.at(t.regions)
		mask = 0
		for word, allow := range set.Allow {
			if set.AllowAll {
				allow = ^uint64(0)
			}
			mask |= allow &^ set.Deny[word]
		}
	}
	sum := bounds{
		slots: slotsOf(t.earliest, t.latestEnd), mask: mask, lo: l.lo, hi: l.hi, length: ^uint32(t.piece(r)), rank: l.rank,
		room: ^uint32(t.atLeast(r)), factor: ^t.maxCarbon, floor: ^uint32(r.open), org: t.org,
	}
	if t.allOrNone {
		// Its place among others is by any lease of an offer, not only by those that
		// new capacity makes possible.
		sum.slots = slots{^uint64(0), ^uint64(0)}
		sum.lo, sum.hi, sum.length, sum.room = 0, ^uint32(0), ^uint32(0), ^uint32(1)
	}
	return sum
}

// indexBid puts a resting bid into its ladder or a lot of its own.
func (b *Book) indexBid(slot uint32) {
	r := b.demand.orders.at(slot)
	s := b.bidTerms.values.at(r.terms)
	t, d := &s.value, uint32(s.value.piece(r))
	plain := t.plain() && ranked(r.price)
	if plain && s.lot != 0 {
		b.demand.join(s.lot, slot)
		b.tidyDemand()
		return
	}
	l := lot{lo: t.earliest + d, hi: t.latestEnd - d, tree: s.class}
	var id uint32
	if plain {
		l.tag = r.terms
		id = b.demand.found(l, slot)
		s.lot = id
	} else {
		l.tag, l.rank, l.head, l.room, l.alone = slot, b.demand.rankOf(r.price), slot, uint32(r.open), true
		id = b.demand.lots.take()
		*b.demand.lots.at(id) = l
		r.place = id
	}
	sum := b.boundsOf(r, b.demand.lots.at(id))
	b.bidClasses.all[s.class].lots++
	b.demand.insert(&b.demand.trees[s.class], id, &sum)
}

// unindexBid takes a bid out of its lot; the trees follow when the demand is
// tidied.
func (b *Book) unindexBid(slot uint32) {
	r := b.demand.orders.at(slot)
	if !r.queued {
		b.demand.lots.at(r.place).head = 0
		b.demand.emptied = append(b.demand.emptied, r.place)
		r.place = 0
	} else if b.demand.leave(slot) {
		b.bidTerms.values.at(r.terms).lot = 0
	}
}

// tidyDemand brings the trees to what their ladders are.
func (b *Book) tidyDemand() { b.demand.tidy(b.giveBidLot) }

// giveBidLot gives up a lot of bids that is in no tree; a class without lots is
// given up.
func (b *Book) giveBidLot(id uint32) {
	l := b.demand.lots.at(id)
	b.demand.lots.give(id)
	cs := &b.bidClasses
	c := &cs.all[l.tree]
	if c.lots--; c.lots == 0 && len(cs.named) > exactClasses/2 {
		delete(cs.named, c.bidKind)
		cs.free = append(cs.free, l.tree)
	}
}

// removeBid takes a resting bid out of the book.
func (b *Book) removeBid(slot uint32) {
	b.unindexBid(slot)
	b.forgetBid(slot)
	b.tidyDemand()
}

// forgetBid gives up the place of a bid that is in no lot.
func (b *Book) forgetBid(slot uint32) {
	r := b.demand.orders.at(slot)
	if group := b.bidTermsOf(r).group; group != 0 {
		left := slices.DeleteFunc(b.groups[group], func(s uint32) bool { return s == slot })
		if b.groups[group] = left; len(left) == 0 {
			delete(b.groups, group)
		}
	}
	b.disagree(r)
	b.taken.give(r.taken)
	r.taken = 0
	r.generation++
	b.demand.orders.give(slot)
}

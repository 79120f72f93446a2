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

// bidClasses are the classes in use and their trees, by number.
type bidClasses struct {
	all   []bidClass
	trees []tree
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

// bidClassFor finds or makes the class of a bid that is about to rest.
func (b *Book) bidClassFor(r *bidRecord) uint32 {
	cs := &b.bidClasses
	bucket, least := bucketOf(corehour.CarbonPrice(r.carbonPrice), false)
	kind := bidKind{r.regions, bucket, corehour.SLA(r.sla), r.flags&bidInterruptible != 0}
	if id, ok := cs.named[kind]; ok {
		return id
	}
	if len(cs.named) >= exactClasses {
		kind.carbon, least = bucketOf(corehour.CarbonPrice(r.carbonPrice), true)
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
		cs.all, cs.trees = append(cs.all, bidClass{}), append(cs.trees, tree{})
	}
	cs.all[id], cs.trees[id] = bidClass{bidKind: kind, price: least}, tree{sum: nothing}
	cs.named[kind] = id
	return id
}

// interned numbers values that many orders share, from 1, and counts who uses
// them.
type interned[T comparable] struct {
	named  map[T]uint32
	values []T
	users  []int
	free   []uint32
	last   uint32 // the one asked for last, mostly asked for again
}

func (in *interned[T]) at(i uint32) *T { return &in.values[i-1] }

func (in *interned[T]) take(v *T) uint32 {
	if in.last != 0 && in.values[in.last-1] == *v && in.users[in.last-1] > 0 {
		in.users[in.last-1]++
		return in.last
	}
	i, ok := in.named[*v]
	if !ok {
		if n := len(in.free); n > 0 {
			i, in.free = in.free[n-1], in.free[:n-1]
			in.values[i-1] = *v
		} else {
			in.values, in.users = append(in.values, *v), append(in.users, 0)
			i = uint32(len(in.values))
		}
		in.named[*v] = i
	}
	in.users[i-1]++
	in.last = i
	return i
}

func (in *interned[T]) give(i uint32) {
	if i == 0 {
		return
	}
	if in.users[i-1]--; in.users[i-1] == 0 {
		delete(in.named, in.values[i-1])
		in.free = append(in.free, i)
	}
}

// lists numbers values that few orders have, from 1.
type lists[T any] struct {
	values []T
	free   []uint32
}

func (l *lists[T]) at(i uint32) *T { return &l.values[i-1] }

func (l *lists[T]) take(v T) uint32 {
	if n := len(l.free); n > 0 {
		i := l.free[n-1]
		l.free = l.free[:n-1]
		l.values[i-1] = v
		return i
	}
	l.values = append(l.values, v)
	return uint32(len(l.values))
}

func (l *lists[T]) give(i uint32) {
	if i != 0 {
		var none T
		l.values[i-1] = none
		l.free = append(l.free, i)
	}
}

// rest lets a bid wait in the book.
func (b *Book) rest(bid *Bid) BidRef {
	slot := b.bids.take()
	b.bidLinks.reach(slot)
	r, k := b.bids.at(slot), b.bidLinks.at(slot)
	k.generation++
	*r = bidRecord{
		id: uint64(bid.ID), arrival: bid.Arrival, limit: int64(bid.Limit), carbonPrice: int64(bid.CarbonPrice),
		group: uint64(bid.Group), earliest: uint32(bid.EarliestStart), latestEnd: uint32(bid.LatestEnd),
		minPiece: int32(bid.MinPiece), org: uint32(bid.Org), maxCarbon: uint32(bid.MaxCarbon),
		takeOrPay: uint16(bid.MaxTakeOrPay), sla: uint8(bid.MinSLA), force: uint8(bid.TimeInForce),
	}
	if bid.Interruptible {
		r.flags |= bidInterruptible
	}
	if bid.AllOrNone {
		r.flags |= bidAllOrNone
	}
	if !bid.Regions.everywhere() {
		r.regions = b.regions.take(&bid.Regions)
	}
	if !bid.Providers.everyone() {
		r.providers = b.providers.take(bid.Providers)
	}
	if bid.Group != 0 {
		b.groups[bid.Group] = append(b.groups[bid.Group], slot)
	}
	b.keep(r, bid)
	b.indexBid(slot)
	return BidRef(reference(slot, k.generation))
}

// keep notes what of a bid changes while it rests.
func (b *Book) keep(r *bidRecord, bid *Bid) {
	r.units, r.minFill = int32(bid.Units), int32(bid.MinFill)
	r.duration, r.maxLeases = int32(bid.Duration), int32(bid.MaxLeases)
	if len(bid.Taken) > 0 && r.taken == 0 {
		r.taken = b.taken.take(bid.Taken)
	} else if r.taken != 0 {
		*b.taken.at(r.taken) = bid.Taken
	}
}

// load reads a resting bid as an order.
func (b *Book) load(slot uint32, bid *Bid) {
	r := b.bids.at(slot)
	*bid = Bid{
		ID: corehour.BidID(r.id), Arrival: r.arrival, Org: OrgIndex(r.org), Units: corehour.Units(r.units),
		Duration: corehour.Minutes(r.duration), EarliestStart: corehour.Minute(r.earliest), LatestEnd: corehour.Minute(r.latestEnd),
		Limit: corehour.Price(r.limit), MaxCarbon: corehour.CarbonRate(r.maxCarbon), CarbonPrice: corehour.CarbonPrice(r.carbonPrice),
		MinSLA: corehour.SLA(r.sla), Interruptible: r.flags&bidInterruptible != 0, MaxTakeOrPay: corehour.BasisPoints(r.takeOrPay),
		MinFill: corehour.Units(r.minFill), AllOrNone: r.flags&bidAllOrNone != 0, MaxLeases: int(r.maxLeases),
		TimeInForce: corehour.TimeInForce(r.force), MinPiece: corehour.Minutes(r.minPiece), Group: corehour.BidID(r.group),
	}
	bid.Regions.AllowAll, bid.Providers.AllowAll = true, true
	if r.regions != 0 {
		bid.Regions = *b.regions.at(r.regions)
	}
	if r.providers != 0 {
		bid.Providers = *b.providers.at(r.providers)
	}
	if r.taken != 0 {
		bid.Taken = *b.taken.at(r.taken)
	}
}

// piece is the length of the next lease of a resting bid.
func (r *bidRecord) piece() corehour.Minutes {
	return pieceOf(corehour.Minutes(r.duration), corehour.Minutes(r.minPiece), int(r.maxLeases))
}

// atLeast is what Bid.atLeast is, of a resting bid.
func (r *bidRecord) atLeast() int32 {
	switch {
	case r.minPiece > 0:
		return r.units
	case r.flags&bidAllOrNone != 0:
		return 1
	}
	return min(r.minFill, r.units)
}

// plain reports whether the bid may wait in a queue with others.
func (r *bidRecord) plain() bool {
	return r.minFill == 1 && r.minPiece == 0 && r.flags&bidAllOrNone == 0 && r.providers == 0 && r.group == 0
}

// The times of a lot of bids: lo is the earliest end of a lease and hi its latest
// start. What an offer must have of length, room and so on is complemented,
// because a lot is found where it has at least so much.

func (r *bidRecord) bounds(b *Book, l *lot) bounds {
	mask := ^uint64(0)
	if r.regions != 0 {
		set := b.regions.at(r.regions)
		mask = 0
		for word, allow := range set.Allow {
			if set.AllowAll {
				allow = ^uint64(0)
			}
			mask |= allow &^ set.Deny[word]
		}
	}
	sum := bounds{
		slots: slotsOf(r.earliest, r.latestEnd), mask: mask, lo: l.lo, hi: l.hi, length: ^uint32(r.piece()), rank: l.rank,
		room: ^uint32(r.atLeast()), factor: ^r.maxCarbon, floor: ^uint32(r.units), org: r.org,
	}
	if r.flags&bidAllOrNone != 0 {
		// Its place among others is by any lease of an offer, not only by those that
		// new capacity makes possible.
		sum.slots = slots{^uint64(0), ^uint64(0)}
		sum.lo, sum.hi, sum.length, sum.room = 0, ^uint32(0), ^uint32(0), ^uint32(1)
	}
	return sum
}

func (r *bidRecord) queueTag() uint32 {
	h := uint64(r.earliest)*0xff51afd7ed558ccd ^ uint64(r.latestEnd)*0x94d049bb133111eb ^ uint64(r.org)*0x9e3779b97f4a7c15 ^ uint64(r.duration)*0xc2b2ae3d27d4eb4f ^ uint64(r.maxCarbon)*0x165667b19e3779f9 ^
		uint64(r.takeOrPay)*0x27d4eb2f165667c5 ^ uint64(r.regions)*0xd6e8feb86659fd93 ^ uint64(r.carbonPrice)*0xa0761d6478bd642f
	return uint32(h >> 40)
}

// indexBid puts a resting bid into its queue or a lot of its own.
func (b *Book) indexBid(slot uint32) {
	r, k := b.bids.at(slot), b.bidLinks.at(slot)
	r.class = b.bidClassFor(r)
	t := &b.bidClasses.trees[r.class]
	d := uint32(r.piece())
	l := lot{
		lo: r.earliest + d, hi: r.latestEnd - d, rank: ^rankOf(corehour.Price(r.limit)), tag: slot, tree: r.class,
		head: slot, tail: slot, last: r.arrival, alone: !r.plain(),
	}
	terms := r.terms()
	if !l.alone {
		l.tag = r.queueTag()
	}
	var leaf uint32
	var at int
	if t.root != 0 {
		key := l.key()
		leaf, at = b.demand.seek(t.root, key)
		n := b.demand.nodes.at(leaf)
		for i := at; !l.alone && i < int(n.n) && n.key[i] == key; i++ {
			queue := b.demand.lots.at(n.ref[i])
			if !queue.alone && queue.lo == l.lo && queue.hi == l.hi && *b.bidTerms.at(queue.terms) == terms {
				k.lot = n.ref[i]
				queue.join(&b.bidLinks, slot, r.arrival, func(slot uint32) uint64 { return b.bids.at(slot).arrival })
				if floor := ^uint32(r.units); floor < n.sums[i].floor {
					n.sums[i].floor = floor
					b.demand.widen(t, leaf, &n.sums[i])
				}
				return
			}
		}
	}
	if !l.alone {
		l.terms = b.bidTerms.take()
		*b.bidTerms.at(l.terms) = terms
	}
	id := b.demand.lots.take()
	*b.demand.lots.at(id) = l
	k.lot, k.prev, k.next = id, 0, 0
	sum := r.bounds(b, &l)
	b.bidClasses.all[r.class].lots++
	b.demand.insert(t, leaf, at, id, &sum)
}

// unindexBid takes a bid out of the index.
func (b *Book) unindexBid(slot uint32) {
	id := b.bidLinks.at(slot).lot
	if l := b.demand.lots.at(id); l.unlink(&b.bidLinks, slot) {
		b.demand.remove(&b.bidClasses.trees[l.tree], id)
		b.giveBidLot(id)
	}
}

// giveBidLot gives up a lot of bids that is in no tree.
func (b *Book) giveBidLot(id uint32) {
	l := b.demand.lots.at(id)
	if !l.alone {
		b.bidTerms.give(l.terms)
	}
	b.closedBidLot(l.tree)
	b.demand.lots.give(id)
}

// closedBidLot counts a lot less; a class without lots is given up.
func (b *Book) closedBidLot(class uint32) {
	cs := &b.bidClasses
	c := &cs.all[class]
	if c.lots--; c.lots == 0 && len(cs.named) > exactClasses/2 {
		delete(cs.named, c.bidKind)
		cs.free = append(cs.free, class)
	}
}

// removeBid takes a resting bid out of the book.
func (b *Book) removeBid(slot uint32) {
	b.unindexBid(slot)
	b.forgetBid(slot)
}

// forgetBid gives up the place of a bid that is in no lot.
func (b *Book) forgetBid(slot uint32) {
	r := b.bids.at(slot)
	if r.group != 0 {
		group := corehour.BidID(r.group)
		left := slices.DeleteFunc(b.groups[group], func(s uint32) bool { return s == slot })
		if b.groups[group] = left; len(left) == 0 {
			delete(b.groups, group)
		}
	}
	b.regions.give(r.regions)
	b.providers.give(r.providers)
	b.taken.give(r.taken)
	r.regions, r.providers, r.taken = 0, 0, 0
	b.bidLinks.at(slot).generation++
	b.bids.give(slot)
}

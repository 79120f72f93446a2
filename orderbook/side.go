package orderbook

import (
	"cmp"
	"slices"

	"github.com/corehour/corehour"
)

// order is what an order in the book has of its own; the rest it shares with
// others (offerTerms, bidTerms). It holds no pointers, so that millions of them
// cost the collector nothing, and fits a line of the processor's cache.
type order struct {
	id, arrival uint64
	price       int64  // an offer's price, a bid's limit
	prev, next  uint32 // neighbours in its price level
	place       uint32 // the price level in which it waits, or the first of its own lots; none where it is in no lot
	generation  uint32 // odd while the order is in the book
	terms       uint32
	open        int32  // what a bid still seeks; what an offer has free at every minute to come, where steps is none
	units       int32  // of an offer, in all
	steps       uint32 // capacity of an offer, where that differs by time
	taken       uint32 // in Book.taken: the pieces of a bid; none is none
	leases      uint16 // how many more a bid may become
	queued      bool   // waits in a price level
	touched     bool   // its lots are not yet what it has
}

// start makes the record that of a new order, in no lot. Field by field, because a
// copy of what was just written would wait for it.
func (o *order) start(id, arrival uint64, price int64, open int32, terms uint32) {
	o.id, o.arrival, o.price, o.open, o.terms = id, arrival, price, open, terms
	o.prev, o.next, o.place, o.units, o.steps, o.taken, o.leases = 0, 0, 0, 0, 0, 0, 0
	o.queued, o.touched = false, false
	o.generation++
}

// side is one side of the market: its orders and the index over them.
type side struct {
	index
	orders      slab[order]
	levels      slab[priceLevel]
	racks       slab[rack]
	ladders     []ladder
	freeLadders []uint32
	trees       []tree // by class
	highest     uint32 // all ones where the highest price is best, as of bids
	// While a walk goes on trees stay as they are. Lots that are empty, and
	// ladders with another best price, wait here until it is over.
	emptied []uint32
	moved   []uint32
}

// rankOf is the rank of a price: in ticks, as far as 32 bits reach.
func (s *side) rankOf(price int64) uint32 {
	return uint32(min(price/int64(corehour.Tick), int64(^uint32(0)))) ^ s.highest
}

// ranked reports whether a price is within what ranks tell apart.
func ranked(price int64) bool { return price/int64(corehour.Tick) < int64(^uint32(0)) }

// at is the slot of an order in the book that a reference names.
func (s *side) at(ref uint64) (slot uint32, ok bool) {
	slot = uint32(ref)
	if slot == 0 || slot >= s.orders.next {
		return 0, false
	}
	g := s.orders.at(slot).generation
	return slot, g == uint32(ref>>32) && g&1 == 1
}

// reference packs a slot and its generation, so that a reference to what has left
// the book finds nothing.
func (s *side) reference(slot uint32) uint64 {
	return uint64(s.orders.at(slot).generation)<<32 | uint64(slot)
}

// has reports whether a slot holds an order of the book.
func (s *side) has(slot uint32) bool { return s.orders.at(slot).generation&1 == 1 }

// byArrival sorts orders.
func (s *side) byArrival(slots []uint32) {
	slices.SortFunc(slots, func(x, y uint32) int { return cmp.Compare(s.orders.at(x).arrival, s.orders.at(y).arrival) })
}

// foremost is the first order of a lot.
func (s *side) foremost(id uint32) uint32 {
	l := s.lots.at(id)
	if l.alone {
		return l.head
	}
	return s.levels.at(l.head).head
}

// join puts an order into a ladder, into the level of its price by arrival: mostly
// at the end, because it is new; one that comes back is mostly near the beginning.
// The trees follow when the side is tidied.
func (s *side) join(id, slot uint32) {
	l, o := s.lots.at(id), s.orders.at(slot)
	level := s.levelOf(id, l, o.price, uint32(o.open))
	q := s.levels.at(level)
	after := uint32(0)
	if o.arrival < q.last {
		for after = q.head; after != 0 && s.orders.at(after).arrival < o.arrival; {
			after = s.orders.at(after).next
		}
	}
	o.place, o.queued, o.prev, o.next = level, true, q.tail, after
	if after == 0 {
		q.tail, q.last = slot, max(q.last, o.arrival)
	} else {
		a := s.orders.at(after)
		o.prev = a.prev
		a.prev = slot
	}
	if o.prev == 0 {
		q.head = slot
	} else {
		s.orders.at(o.prev).next = slot
	}
	if level != l.head {
		rank := s.rankOf(o.price)
		if rank < s.rankOf(s.levels.at(l.head).price) {
			l.head = level
			s.move(id, l)
		}
	}
	s.raise(id, uint32(o.open))
}

// found makes the ladder of a first order. It is in no tree yet.
func (s *side) found(l lot, slot uint32) uint32 {
	id, level, o := s.lots.take(), s.levels.take(), s.orders.at(slot)
	*s.levels.at(level) = priceLevel{price: o.price, last: o.arrival, head: slot, tail: slot, lot: id, room: uint32(o.open)}
	o.place, o.queued, o.prev, o.next = level, true, 0, 0
	l.head, l.rank, l.room = level, s.rankOf(o.price), uint32(o.open)
	*s.lots.at(id) = l
	return id
}

// raise lets the index know of an order that has more open than any other of its
// ladder had.
func (s *side) raise(id, open uint32) {
	l := s.lots.at(id)
	if open <= l.room {
		return
	}
	l.room = open
	n := s.nodes.at(l.leaf)
	sum := &n.sums[n.place(id)]
	if s.highest == 0 {
		sum.room = open
	} else {
		sum.floor = ^open
	}
	s.widen(&s.trees[l.tree], l.leaf, sum)
}

// leave takes an order out of its ladder and reports whether that is now empty.
// The trees follow when the side is tidied.
func (s *side) leave(slot uint32) (empty bool) {
	o := s.orders.at(slot)
	q := s.levels.at(o.place)
	if o.prev == 0 {
		q.head = o.next
	} else {
		s.orders.at(o.prev).next = o.next
	}
	if o.next == 0 {
		q.tail = o.prev
	} else {
		s.orders.at(o.next).prev = o.prev
	}
	level := o.place
	o.place, o.queued = 0, false
	if q.head != 0 {
		return false
	}
	id := q.lot
	l := s.lots.at(id)
	best := level == l.head
	if s.dropLevel(l, level); l.head == 0 {
		s.emptied = append(s.emptied, id)
		return true
	}
	if best {
		s.move(id, l)
	}
	return false
}

// move notes that a ladder has another best price than its tree says.
func (s *side) move(id uint32, l *lot) {
	if !l.moved {
		l.moved = true
		s.moved = append(s.moved, id)
	}
}

// tidy brings the trees to what the ladders are; give gives up a lot that is in no
// tree any more.
func (s *side) tidy(give func(id uint32)) {
	if len(s.emptied) > 0 {
		for _, id := range s.emptied {
			s.strike(id)
			s.lots.at(id).moved = false
			give(id)
		}
		s.emptied = s.emptied[:0]
		s.sweep(s.trees)
	}
	for _, id := range s.moved {
		if l := s.lots.at(id); l.moved {
			l.moved = false
			s.rekey(&s.trees[l.tree], id, s.rankOf(s.levels.at(l.head).price))
		}
	}
	s.moved = s.moved[:0]
}

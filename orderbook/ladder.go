package orderbook

import "math/bits"

// Orders that differ in nothing but price, arrival and units form a ladder: its
// rungs are price levels, in each of which orders wait by arrival. The trees of
// the index know a ladder as one lot at its best price, so that what happens
// within it costs them nothing.

// priceLevel is a queue of orders that differ in nothing but arrival and units.
type priceLevel struct {
	price      int64
	last       uint64 // no order of the queue arrived later
	head, tail uint32
	lot        uint32 // the ladder
	room       uint32 // no order of the queue has more open
}

// rungs is how many neighbouring levels are kept together.
const rungs = 63

// rack is neighbouring levels of a ladder, the better ones later. A key is the
// complement of a rank.
type rack struct {
	n     uint32
	key   [rungs]uint32
	level [rungs]uint32
}

// ladder is the racks of a lot that has, or had, several levels; the best level
// is the last one of the last rack.
type ladder struct {
	least []uint32 // the first key of each rack, when it was made
	racks []uint32
	room  []uint32 // no level of the rack has more
}

// place is the rack in which a key belongs.
func (l *ladder) place(key uint32) int {
	low, length := 0, len(l.least)
	for length > 1 {
		half := length >> 1
		_, above := bits.Sub64(uint64(key), uint64(l.least[low+half]), 0)
		low += half & (int(above) - 1)
		length -= half
	}
	return low
}

// before counts the levels of a key below one.
func (r *rack) before(key uint32) int {
	low, length := 0, int(r.n)
	for length > 0 {
		half := (length + 1) >> 1
		_, below := bits.Sub64(uint64(r.key[low+half-1]), uint64(key), 0)
		low += half & -int(below)
		length -= half
	}
	return low
}

func (r *rack) open(at int, key, level uint32) {
	end := int(r.n)
	copy(r.key[at+1:end+1], r.key[at:end])
	copy(r.level[at+1:end+1], r.level[at:end])
	r.key[at], r.level[at] = key, level
	r.n++
}

func (r *rack) close(at int) {
	end := int(r.n)
	copy(r.key[at:end-1], r.key[at+1:end])
	copy(r.level[at:end-1], r.level[at+1:end])
	r.n--
}

// levelOf finds the level of a price in a lot, or makes it, and lets lot and rack
// know that so many units may be there.
func (s *side) levelOf(id uint32, l *lot, price int64, room uint32) uint32 {
	best := s.levels.at(l.head)
	if best.price == price {
		s.roomAt(l, best, room)
		return l.head
	}
	if l.ladder == 0 {
		l.ladder = s.makeLadder(l.head, ^s.rankOf(best.price), best.room)
	}
	k, key := &s.ladders[l.ladder-1], ^s.rankOf(price)
	at := k.place(key)
	r := s.racks.at(k.racks[at])
	i := r.before(key)
	if i < int(r.n) && r.key[i] == key {
		q := s.levels.at(r.level[i])
		if q.room < room {
			q.room = room
			k.room[at] = max(k.room[at], room)
		}
		return r.level[i]
	}
	level := s.levels.take()
	*s.levels.at(level) = priceLevel{price: price, lot: id, room: room}
	if r.n == rungs {
		r, i, at = s.splitRack(k, at, i)
	}
	r.open(i, key, level)
	k.room[at] = max(k.room[at], room)
	if at == 0 {
		k.least[0] = min(k.least[0], key)
	}
	return level
}

// roomAt lets a level know that so many units may be in it.
func (s *side) roomAt(l *lot, q *priceLevel, room uint32) {
	if q.room >= room {
		return
	}
	q.room = room
	if l.ladder != 0 {
		k := &s.ladders[l.ladder-1]
		at := k.place(^s.rankOf(q.price))
		k.room[at] = max(k.room[at], room)
	}
}

// makeLadder makes the ladder of a lot that has one level.
func (s *side) makeLadder(level, key, room uint32) uint32 {
	var id uint32
	if n := len(s.freeLadders); n > 0 {
		id, s.freeLadders = s.freeLadders[n-1], s.freeLadders[:n-1]
	} else {
		s.ladders = append(s.ladders, ladder{})
		id = uint32(len(s.ladders))
	}
	k := &s.ladders[id-1]
	rackID := s.racks.take()
	s.racks.at(rackID).n = 0
	s.racks.at(rackID).open(0, key, level)
	k.least, k.racks, k.room = append(k.least[:0], key), append(k.racks[:0], rackID), append(k.room[:0], room)
	return id
}

// splitRack moves the better half of a full rack into a new one and returns where
// what belonged at a position now belongs.
func (s *side) splitRack(k *ladder, at, i int) (*rack, int, int) {
	const half = rungs / 2
	rightID := s.racks.take()
	r, right := s.racks.at(k.racks[at]), s.racks.at(rightID)
	right.n = uint32(copy(right.key[:], r.key[half:r.n]))
	copy(right.level[:], r.level[half:r.n])
	r.n = half
	k.least = insertAt(k.least, at+1, right.key[0])
	k.racks = insertAt(k.racks, at+1, rightID)
	k.room = insertAt(k.room, at+1, k.room[at])
	if i > half {
		return right, i - half, at + 1
	}
	return r, i, at
}

// insertAt is slices.Insert of one value.
func insertAt(list []uint32, at int, v uint32) []uint32 {
	list = append(list, 0)
	copy(list[at+1:], list[at:])
	list[at] = v
	return list
}

// dropLevel takes an empty level out of its lot, which then has another best one
// or, where it had no other, none.
func (s *side) dropLevel(l *lot, level uint32) {
	q := s.levels.at(level)
	if l.ladder == 0 {
		l.head = 0
		s.levels.give(level)
		return
	}
	k, key := &s.ladders[l.ladder-1], ^s.rankOf(q.price)
	at := len(k.racks) - 1
	if level != l.head {
		at = k.place(key)
	}
	r := s.racks.at(k.racks[at])
	if level == l.head {
		r.n--
	} else {
		r.close(r.before(key))
	}
	if r.n == 0 {
		s.racks.give(k.racks[at])
		k.least = append(k.least[:at], k.least[at+1:]...)
		k.racks = append(k.racks[:at], k.racks[at+1:]...)
		k.room = append(k.room[:at], k.room[at+1:]...)
	}
	s.levels.give(level)
	if level != l.head {
		return
	}
	if last := len(k.racks) - 1; last >= 0 {
		r := s.racks.at(k.racks[last])
		l.head = r.level[r.n-1]
		return
	}
	l.head = 0
	s.freeLadders = append(s.freeLadders, l.ladder)
	l.ladder = 0
}

// worse is the next level of a lot that is worse than one; none where that is the
// worst.
func (s *side) worse(l *lot, level uint32) uint32 {
	if l.ladder == 0 {
		return 0
	}
	k, key := &s.ladders[l.ladder-1], ^s.rankOf(s.levels.at(level).price)
	at := k.place(key)
	r := s.racks.at(k.racks[at])
	if i := r.before(key); i > 0 {
		return r.level[i-1]
	}
	if at == 0 {
		return 0
	}
	r = s.racks.at(k.racks[at-1])
	return r.level[r.n-1]
}

// next is the order after one in a ladder: the next one of its price, or the first
// of the next worse price; none after the last.
func (s *side) next(slot uint32) uint32 {
	o := s.orders.at(slot)
	if o.next != 0 {
		return o.next
	}
	worse := s.worse(s.lots.at(s.levels.at(o.place).lot), o.place)
	if worse == 0 {
		return 0
	}
	return s.levels.at(worse).head
}

// first is the first order of a lot, best price first, then by arrival, that has
// so many units open; none where none has.
func (s *side) first(l *lot, need uint32) uint32 {
	if l.room < need || l.head == 0 {
		return 0
	}
	if slot := s.firstOf(s.levels.at(l.head), need); slot != 0 {
		return slot
	}
	if l.ladder == 0 {
		l.room = s.levels.at(l.head).room
		return 0
	}
	// Rooms that turn out to be less than was thought are corrected on the way.
	k, most := &s.ladders[l.ladder-1], uint32(0)
	for at := len(k.racks) - 1; at >= 0; at-- {
		if k.room[at] >= need {
			r, room := s.racks.at(k.racks[at]), uint32(0)
			for i := int(r.n) - 1; i >= 0; i-- {
				q := s.levels.at(r.level[i])
				if slot := s.firstOf(q, need); slot != 0 {
					return slot
				}
				room = max(room, q.room)
			}
			k.room[at] = room
		}
		most = max(most, k.room[at])
	}
	l.room = most
	return 0
}

// firstOf is the first order of a level that has so many units open.
func (s *side) firstOf(q *priceLevel, need uint32) uint32 {
	if q.room < need {
		return 0
	}
	room := uint32(0)
	for slot := q.head; slot != 0; {
		o := s.orders.at(slot)
		if uint32(o.open) >= need {
			return slot
		}
		room = max(room, uint32(o.open))
		slot = o.next
	}
	q.room = room
	return 0
}

package orderbook

// slab holds records of one kind at small numbers that never move, so that a
// million orders are a few hundred allocations, growing copies nothing, and
// records name each other without pointers for the collector to follow. Number
// zero is none.
type slab[T any] struct {
	chunks []*[chunkSize]T
	free   []uint32
	next   uint32
}

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// at is the record with a number. It stays where it is.
func (s *slab[T]) at(i uint32) *T { return &s.chunks[i>>chunkBits][i&(chunkSize-1)] }

// take gives a number that is not in use; its record holds what was last in it.
func (s *slab[T]) take() uint32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	if s.next == 0 {
		s.next = 1
	}
	i := s.next
	s.reach(i)
	s.next++
	return i
}

// reach makes room for a number that another slab gave.
func (s *slab[T]) reach(i uint32) {
	for int(i>>chunkBits) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([chunkSize]T))
	}
}

// give takes a number back.
func (s *slab[T]) give(i uint32) { s.free = append(s.free, i) }

// link is where an order is. Links are apart from the orders' records because
// they are small: those of a million orders stay near the processor, and taking
// an order out of its queue touches nothing but links.
type link struct {
	prev, next uint32 // neighbours in the queue
	lot        uint32 // the queue, or the first of the order's own lots
	generation uint32 // odd while the order is in the book
}

// unlink takes an order out of its queue and reports whether that is now empty.
func (l *lot) unlink(links *slab[link], slot uint32) (empty bool) {
	k := links.at(slot)
	if k.prev == 0 {
		l.head = k.next
	} else {
		links.at(k.prev).next = k.next
	}
	if k.next == 0 {
		l.tail = k.prev
	} else {
		links.at(k.next).prev = k.prev
	}
	k.lot, k.prev, k.next = 0, 0, 0
	return l.head == 0
}

// join puts an order into a queue by arrival: mostly at the end, because it is
// new; one that comes back is mostly near the beginning.
func (l *lot) join(links *slab[link], slot uint32, arrival uint64, arrivalOf func(slot uint32) uint64) {
	k := links.at(slot)
	after := uint32(0)
	if arrival < l.last {
		for after = l.head; after != 0 && arrivalOf(after) < arrival; {
			after = links.at(after).next
		}
	}
	k.prev, k.next = l.tail, after
	if after == 0 {
		l.tail, l.last = slot, max(l.last, arrival)
	} else {
		a := links.at(after)
		k.prev = a.prev
		a.prev = slot
	}
	if k.prev == 0 {
		l.head = slot
	} else {
		links.at(k.prev).next = slot
	}
}

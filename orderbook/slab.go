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
	if int(i>>chunkBits) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([chunkSize]T))
	}
	s.next++
	return i
}

// give takes a number back.
func (s *slab[T]) give(i uint32) { s.free = append(s.free, i) }

package orderbook

// interned numbers values that many orders share, from 1, and counts who uses
// them.
type interned[T comparable] struct {
	named  map[T]uint32
	values slab[shared[T]]
	recent uint32 // the one asked for last, mostly asked for again
}

// shared is a value and what is known of all that have it.
type shared[T comparable] struct {
	value T
	users int32
	class uint32 // of the orders that have these terms
	lot   uint32 // in which those of them wait that are alike in all else; none where none does
}

func newInterned[T comparable]() interned[T] { return interned[T]{named: make(map[T]uint32)} }

func (in *interned[T]) at(i uint32) *T { return &in.values.at(i).value }

// take numbers a value for one more user and reports whether it is new.
func (in *interned[T]) take(v *T) (i uint32, fresh bool) {
	if s := in.latest(); s != nil && s.value == *v {
		s.users++
		return in.recent, false
	}
	i, ok := in.named[*v]
	if !ok {
		i = in.values.take()
		*in.values.at(i) = shared[T]{value: *v}
		in.named[*v] = i
	}
	in.values.at(i).users++
	in.recent = i
	return i, !ok
}

// latest is the value asked for last; nil where nobody uses it any more.
func (in *interned[T]) latest() *shared[T] {
	if in.recent == 0 {
		return nil
	}
	if s := in.values.at(in.recent); s.users > 0 {
		return s
	}
	return nil
}

// own numbers a value for one user that may change it.
func (in *interned[T]) own(v *T) uint32 {
	i := in.values.take()
	*in.values.at(i) = shared[T]{value: *v, users: -1}
	return i
}

// last reports whether a number has but one user.
func (in *interned[T]) last(i uint32) bool {
	users := in.values.at(i).users
	return users == 1 || users == -1
}

// give takes a number back from a user; none is nothing to give.
func (in *interned[T]) give(i uint32) {
	if i == 0 {
		return
	}
	s := in.values.at(i)
	if s.users--; s.users > 0 {
		return
	}
	if s.users == 0 {
		delete(in.named, s.value)
	}
	in.values.give(i)
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

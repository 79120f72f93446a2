package orderbook

import "hash/maphash"

// interned numbers values that many orders share, from 1, and counts who uses
// them. Numbers are found by hash in tables with open addressing, of which there
// are many so that none of them is long in growing. The seed is another one in each
// process, so that nobody can make orders that collide; no result depends on it.
type interned[T comparable] struct {
	values slab[shared[T]]
	recent uint32 // the one asked for last, mostly asked for again
	seed   maphash.Seed
	tables [internedTables]hashTable
}

// shared is a value and what is known of all that have it.
type shared[T comparable] struct {
	value T
	users int32  // -1 where the value is one user's own
	class uint32 // of the orders that have these terms
	lot   uint32 // the ladder of those that may wait with others; none where none does
}

const (
	internedTables = 1 << internedBits
	internedBits   = 8
)

// hashTable holds half a hash and a number in each entry; an entry of zero is
// free. At least a quarter of the entries are.
type hashTable struct {
	entries []uint64
	used    int
}

func newInterned[T comparable]() interned[T] { return interned[T]{seed: maphash.MakeSeed()} }

func (in *interned[T]) at(i uint32) *T { return &in.values.at(i).value }

// take numbers a value for one more user and reports whether it is new.
func (in *interned[T]) take(v *T) (i uint32, fresh bool) {
	if s := in.latest(); s != nil && s.value == *v {
		s.users++
		return in.recent, false
	}
	hash := maphash.Comparable(in.seed, *v)
	t := &in.tables[hash>>(64-internedBits)]
	if i = in.find(t, uint32(hash), v); i == 0 {
		i, fresh = in.values.take(), true
		*in.values.at(i) = shared[T]{value: *v}
		t.insert(uint32(hash), i)
	}
	in.values.at(i).users++
	in.recent = i
	return i, fresh
}

// find is the number of a value; none where it has none.
func (in *interned[T]) find(t *hashTable, hash uint32, v *T) uint32 {
	if len(t.entries) == 0 {
		return 0
	}
	mask := uint32(len(t.entries) - 1)
	for at := hash & mask; t.entries[at] != 0; at = (at + 1) & mask {
		if e := t.entries[at]; uint32(e>>32) == hash && in.values.at(uint32(e)).value == *v {
			return uint32(e)
		}
	}
	return 0
}

// insert puts a number into the table, which has it not.
func (t *hashTable) insert(hash, i uint32) {
	if 4*(t.used+1) > 3*len(t.entries) {
		old := t.entries
		t.entries = make([]uint64, max(4, 2*len(old)))
		for _, e := range old {
			if e != 0 {
				t.put(e)
			}
		}
	}
	t.used++
	t.put(uint64(hash)<<32 | uint64(i))
}

func (t *hashTable) put(entry uint64) {
	mask := uint32(len(t.entries) - 1)
	at := uint32(entry>>32) & mask
	for t.entries[at] != 0 {
		at = (at + 1) & mask
	}
	t.entries[at] = entry
}

// remove takes a number out of the table and moves entries that stand after it
// because of it nearer to where they belong.
func (t *hashTable) remove(hash, i uint32) {
	mask := uint32(len(t.entries) - 1)
	at := hash & mask
	for t.entries[at] != uint64(hash)<<32|uint64(i) {
		at = (at + 1) & mask
	}
	t.used--
	for next := (at + 1) & mask; t.entries[next] != 0; next = (next + 1) & mask {
		home := uint32(t.entries[next]>>32) & mask
		if (next-home)&mask >= (next-at)&mask {
			t.entries[at] = t.entries[next]
			at = next
		}
	}
	t.entries[at] = 0
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

// sole reports whether a number has but one user.
func (in *interned[T]) sole(i uint32) bool {
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
		hash := maphash.Comparable(in.seed, s.value)
		in.tables[hash>>(64-internedBits)].remove(uint32(hash), i)
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

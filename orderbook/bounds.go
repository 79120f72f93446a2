package orderbook

// bounds is what holds for all lots beneath a tree entry: the least lo, rank,
// factor and floor, the greatest hi, length and room, the union of slots and masks,
// and the organisation if it is one and the same.
type bounds struct {
	slots  slots
	mask   uint64
	lo     uint32
	hi     uint32
	length uint32
	rank   uint32
	room   uint32
	factor uint32
	floor  uint32
	org    uint32
}

// manyOrgs stands where lots are of several organisations, nobody where an order
// is of none.
const (
	manyOrgs = ^uint32(0)
	nobody   = manyOrgs - 1
)

// nothing are the bounds of no lots.
var nothing = bounds{lo: ^uint32(0), rank: ^uint32(0), factor: ^uint32(0), floor: ^uint32(0)}

// widen extends the bounds to cover more and reports whether they changed.
func (b *bounds) widen(c *bounds) bool {
	was := *b
	b.slots[0] |= c.slots[0]
	b.slots[1] |= c.slots[1]
	b.mask |= c.mask
	b.lo, b.hi = min(b.lo, c.lo), max(b.hi, c.hi)
	b.length, b.room = max(b.length, c.length), max(b.room, c.room)
	b.rank, b.factor, b.floor = min(b.rank, c.rank), min(b.factor, c.factor), min(b.floor, c.floor)
	switch {
	case was == nothing:
		b.org = c.org
	case b.org != c.org:
		b.org = manyOrgs
	}
	return *b != was
}

// filter is what a search asks of bounds.
type filter struct {
	all    slots // must be there
	any    slots // one must be there
	mask   uint64
	lo     uint32 // at most
	hi     uint32 // at least
	length uint32 // at least
	room   uint32 // at least
	factor uint32 // at most
	floor  uint32 // at most
	org    uint32 // not this one
}

// passes reports whether something beneath the bounds may be what is sought.
func (f *filter) passes(b *bounds) bool {
	return b.lo <= f.lo && b.hi >= f.hi && b.length >= f.length && b.room >= f.room &&
		b.factor <= f.factor && b.floor <= f.floor && b.org != f.org && b.mask&f.mask != 0 &&
		f.all[0]&^b.slots[0]|f.all[1]&^b.slots[1] == 0 && f.any[0]&b.slots[0]|f.any[1]&b.slots[1] != 0
}

// alike reports whether bounds are of the same time.
func (b *bounds) alike(c *bounds) bool { return b.lo == c.lo && b.hi == c.hi && b.length == c.length }

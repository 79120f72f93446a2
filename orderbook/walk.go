package orderbook

import (
	"math"
	"math/bits"

	"github.com/corehour/corehour"
)

// A walk goes through the lots of several trees, best first: a heap holds places
// in the trees, each with a bound of what is there, and leases that were found.
// What is at the top is opened; when a lease is at the top, nothing anywhere is
// better. Of a node only the best entry is in the heap, and when that is opened
// the next one, so that nothing is looked at twice and little in vain.

// item is an entry of the heap of a walk.
type item struct {
	key   int64  // no more than the key of anything there; of a lease, its very key
	major uint64 // of a lease, what decides where keys are equal: its start, or the bid's arrival
	minor uint64 // and then: the offer's arrival; or just the start
	ref   uint32 // node or lot; none of a lease of one offer, whatever lot it is in
	class uint32
	at    uint32 // position in a node, or version of a lease
	order uint32 // of a lease: the offer, or the bid
	kind  itemKind
}

// itemKind says what an item is; bounds come before leases of the same key.
type itemKind uint8

const (
	itemRoot  itemKind = iota // a tree
	itemChild                 // an entry of an inner node
	itemLot                   // an entry of a leaf
	itemLease                 // a lease that can be had
)

func (i *item) less(j *item) bool {
	if i.key != j.key {
		return i.key < j.key
	}
	if i.kind < itemLease || j.kind < itemLease {
		return i.kind < j.kind
	}
	if i.major != j.major {
		return i.major < j.major
	}
	return i.minor < j.minor
}

// heap is a binary heap of items, the least first.
type heap []item

func (h *heap) push(i item) {
	*h = append(*h, i)
	s := *h
	at := len(s) - 1
	for at > 0 {
		up := (at - 1) / 2
		if !i.less(&s[up]) {
			break
		}
		s[at] = s[up]
		at = up
	}
	s[at] = i
}

func (h *heap) pop() item {
	s := *h
	top := s[0]
	last := len(s) - 1
	i := s[last]
	s = s[:last]
	*h = s
	if last == 0 {
		return top
	}
	at := 0
	for {
		down := 2*at + 1
		if down >= last {
			break
		}
		if down+1 < last && s[down+1].less(&s[down]) {
			down++
		}
		if !s[down].less(&i) {
			break
		}
		s[at] = s[down]
		at = down
	}
	s[at] = i
	return top
}

// carbonUnit is what a unit of factor (energy, or asserted rate) costs, times
// 2^20, rounded down. It bounds what the carbon of offers costs a bid from below.
type carbonUnit uint64

const carbonShift = 20

// unitOf is price x exposure / (d x 1e15) nano-units.
func unitOf(price corehour.CarbonPrice, exposure int64, d corehour.Minutes) carbonUnit {
	if price == 0 || exposure == 0 {
		return 0
	}
	// MaxCarbonPrice x MaxIntensity is below 2^74, so this fits.
	hi, lo := bits.Mul64(uint64(price), uint64(exposure)/uint64(d))
	hi, lo = hi<<carbonShift|lo>>(64-carbonShift), lo<<carbonShift
	q, _ := bits.Div64(hi, lo, corehour.NanoPerUnit*energyScale)
	return carbonUnit(q)
}

// least is the least that the carbon of a factor costs.
func (u carbonUnit) least(factor uint32) int64 {
	hi, lo := bits.Mul64(uint64(u), uint64(factor))
	if hi >= 1<<(carbonShift-2) {
		return math.MaxInt64 / 4
	}
	return int64(hi<<(64-carbonShift) | lo>>carbonShift)
}

// scale turns the bounds of a class's lots into keys.
type scale struct {
	unit   carbonUnit
	offset int64
	first  int64  // key of rank 0, which stands for all that is beyond ranks
	factor uint32 // the most that the filter lets pass
}

// least bounds the keys of a rank and factor from below.
func (s *scale) least(rank, factor uint32) int64 {
	if rank == 0 {
		return s.first
	}
	key := int64(rank)*int64(corehour.Tick) + s.offset
	if s.unit == 0 {
		return key
	}
	return key + s.unit.least(factor)
}

// walk is a walk in progress.
type walk struct {
	heap   heap
	filter filter
	cut    int64   // nothing above this key is of use
	scales []scale // by class, as far as the walk has been there
}

// begin starts a walk through trees of so many classes.
func (w *walk) begin(classes int, f filter, cut int64) {
	w.heap, w.filter, w.cut = w.heap[:0], f, cut
	for len(w.scales) < classes {
		w.scales = append(w.scales, scale{})
	}
}

// enter puts the tree of a class into the walk if it may have something.
func (w *walk) enter(t *tree, class uint32, s scale) {
	key := s.least(t.sum.rank, t.sum.factor)
	if key > w.cut {
		return
	}
	if w.filter.factor = s.factor; w.filter.passes(&t.sum) {
		w.scales[class] = s
		w.heap.push(item{key: key, kind: itemRoot, ref: t.root, class: class})
	}
}

// open puts the best entry of a node that may be of use into the heap.
func (w *walk) open(x *index, id, class uint32) {
	n := x.nodes.at(id)
	if w.filter.factor = w.scales[class].factor; n.sorted() {
		w.seekLot(n, id, class, 0)
		return
	}
	w.seekEntry(n, id, class, math.MinInt64, -1)
}

// sorted reports whether a node is a leaf whose lots are all of one group.
func (n *node) sorted() bool { return n.leaf && n.key[0]>>56 == n.key[n.n-1]>>56 }

// seekEntry puts the best entry into the heap that comes after a key and position.
func (w *walk) seekEntry(n *node, id, class uint32, after int64, at int) {
	s := &w.scales[class]
	best, found, most := int64(math.MaxInt64), -1, s.mostRank(w.cut)
	for j := range int(n.n) {
		if n.ranks[j] > most {
			continue
		}
		sum := &n.sums[j]
		key := s.least(sum.rank, sum.factor)
		if key >= best || key > w.cut || key < after || key == after && j <= at || !w.filter.passes(sum) {
			continue
		}
		best, found, most = key, j, s.mostRank(key)
	}
	if found >= 0 {
		kind := itemChild
		if n.leaf {
			kind = itemLot
		}
		w.heap.push(item{key: best, kind: kind, ref: id, class: class, at: uint32(found)})
	}
}

// mostRank is the highest rank that may have a key of at most cut.
func (s *scale) mostRank(cut int64) uint32 {
	return uint32(min(max((cut-s.offset)/int64(corehour.Tick), 0), math.MaxUint32))
}

// seekLot puts the next lot of a leaf into the heap, from a position on. Keys of
// later ones are not lower, because the leaf is sorted by rank and the bound of
// the factor is that of all.
func (w *walk) seekLot(n *node, id, class uint32, from int) {
	s := &w.scales[class]
	factor := uint32(0)
	if s.unit != 0 && from < int(n.n) {
		factor = n.leastFactor()
	}
	most := s.mostRank(w.cut)
	for j := from; j < int(n.n) && n.ranks[j] <= most; j++ {
		if sum := &n.sums[j]; w.filter.passes(sum) && s.least(sum.rank, sum.factor) <= w.cut {
			w.heap.push(item{key: s.least(sum.rank, factor), kind: itemLot, ref: id, class: class, at: uint32(j)})
			return
		}
	}
}

func (n *node) leastFactor() uint32 {
	least := n.sums[0].factor
	for j := 1; j < int(n.n); j++ {
		least = min(least, n.sums[j].factor)
	}
	return least
}

// follow opens a place in a tree. Where that is a lot it returns it.
func (w *walk) follow(x *index, i *item) (lot uint32, ok bool) {
	if i.kind == itemRoot {
		w.open(x, i.ref, i.class)
		return 0, false
	}
	n := x.nodes.at(i.ref)
	w.filter.factor = w.scales[i.class].factor
	entry := n.ref[i.at]
	if n.sorted() {
		w.seekLot(n, i.ref, i.class, int(i.at)+1)
		return entry, true
	}
	w.seekEntry(n, i.ref, i.class, i.key, int(i.at))
	if n.leaf {
		return entry, true
	}
	w.open(x, entry, i.class)
	return 0, false
}

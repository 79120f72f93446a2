package orderbook

import (
	"math"
	"math/bits"

	"github.com/corehour/corehour"
)

// A walk goes through the lots of several trees, best first: a heap holds places
// in the trees, each with a bound of what is there, and leases that were found.
// What is at the top is opened; when a lease is at the top, nothing anywhere is
// better. The entries of a node are runs in which ranks rise. Of a run only the
// first entry that may be of use is in the heap, and when that is opened the next
// one in its place, so that nothing is looked at twice and little in vain.

// item is an entry of the heap of a walk.
type item struct {
	key   int64  // no more than the key of anything there; of a lease, its very key
	major uint64 // of a lease, what decides where keys are equal: its start, or the bid's arrival
	minor uint64 // and then: the offer's arrival; or just the start
	ref   uint32 // node or lot; none of a lease of one offer, whatever lot it is in
	class uint32 // the tree; of a bid's lease the version instead
	at    uint32 // position in a node; of a lease, the offer or the bid
	kind  itemKind
	end   uint8 // of a place: the end of its run
}

// itemKind says what an item is; bounds come before leases of the same key.
type itemKind uint8

const (
	itemRoot  itemKind = iota // a tree
	itemEntry                 // an entry of a node; major is the least factor of its run
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

func (h *heap) push(i *item) {
	*h = append(*h, item{})
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
	s[at] = *i
}

// drop takes the top out.
func (h *heap) drop() {
	s := *h
	last := len(s) - 1
	if last > 0 {
		s[0] = s[last]
	}
	*h = s[:last]
	h.sink()
}

// sink puts the top where it belongs.
func (h *heap) sink() {
	s := *h
	if len(s) < 2 || (!s[1].less(&s[0]) && (len(s) == 2 || !s[2].less(&s[0]))) {
		return
	}
	i, at := s[0], 0
	for {
		down := 2*at + 1
		if down >= len(s) {
			break
		}
		if down+1 < len(s) && s[down+1].less(&s[down]) {
			down++
		}
		if !s[down].less(&i) {
			break
		}
		s[at] = s[down]
		at = down
	}
	s[at] = i
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
		w.heap.push(&item{key: key, kind: itemRoot, ref: t.root, class: class})
	}
}

// open takes the runs of a node into the heap that may be of use.
func (w *walk) open(x *index, id, class uint32) {
	n := x.nodes.at(id)
	end := int(n.n)
	for start := 0; start < end; {
		next, factor := start+1, n.factors[start]
		for ; next < end && n.ranks[next] >= n.ranks[next-1]; next++ {
			factor = min(factor, n.factors[next])
		}
		i := item{kind: itemEntry, ref: id, class: class, major: uint64(factor), end: uint8(next)}
		if w.seek(n, &i, start) {
			w.heap.push(&i)
		}
		start = next
	}
}

// seek moves an item to the first entry of its run, from a position on, that may
// be of use. Keys of later ones are not lower, because ranks rise and the bound of
// the factor is that of all.
func (w *walk) seek(n *node, i *item, from int) bool {
	s := &w.scales[i.class]
	w.filter.factor = s.factor
	most := s.mostRank(w.cut)
	for j := from; j < int(i.end) && n.ranks[j] <= most; j++ {
		if n.los[j] > w.filter.lo || n.his[j] < w.filter.hi {
			continue
		}
		if w.filter.passes(&n.sums[j]) && s.least(n.ranks[j], n.factors[j]) <= w.cut {
			i.key, i.at = s.least(n.ranks[j], uint32(i.major)), uint32(j)
			return true
		}
	}
	return false
}

// mostRank is the highest rank that may have a key of at most cut.
func (s *scale) mostRank(cut int64) uint32 {
	return uint32(min(max((cut-s.offset)/int64(corehour.Tick), 0), math.MaxUint32))
}

// follow opens the place in a tree that is at the top. Where that is a lot it
// returns it.
func (w *walk) follow(x *index) (lot uint32, ok bool) {
	i := &w.heap[0]
	id, class := i.ref, i.class
	if i.kind == itemRoot {
		w.heap.drop()
		if n := x.nodes.at(id); n.leaf && n.n == 1 {
			return n.ref[0], true
		}
		w.open(x, id, class)
		return 0, false
	}
	n := x.nodes.at(id)
	entry := n.ref[i.at]
	if w.seek(n, i, int(i.at)+1) {
		w.heap.sink()
	} else {
		w.heap.drop()
	}
	if n.leaf {
		return entry, true
	}
	w.open(x, entry, class)
	return 0, false
}

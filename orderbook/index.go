package orderbook

import "math/bits"

// The index finds, among lots that differ in price, time and much else, those
// that may meet an order, best first, without reading the others.
//
// Lots lie in trees in the order of their rank, lower ranks being better; those
// that differ in what their carbon costs are in groups by that, each in order.
// Each tree entry carries bounds of all that is beneath it: what an order can meet
// is always of the form lo <= A, hi >= B, and so on. (An offer's free stretch
// [lo, hi) must begin by the bid's latest start and end after its earliest end; a
// bid's earliest end lo must not be after the stretch's end, nor its latest start
// hi before the stretch's beginning.) A search reads only nodes whose bounds still
// allow a better match than it has. Where few lots are eligible it passes over
// the others in the order of price at a few nanoseconds each; where none is, for
// one reason that all share, the bounds say so near the root.

// fanout is the number of entries of a tree node. A node is split when it is
// full and joined with its neighbour when both together are half of that.
const fanout = 32

// column has some of the bounds of a node's entries together: what turns most of
// them away is read in few lines of the cache.
type column struct {
	ranks, los, his, factors [fanout]uint32
}

// node is an inner node or a leaf; its entries are sorted by key.
type node struct {
	parent   uint32
	n        int32
	leaf     bool
	struck   bool // has entries that were struck out
	removals uint8
	tree     uint32
	column                  // of sums, because most entries are turned away by these
	key      [fanout]uint64 // of an inner node's entry, that of its first lot when it was made
	ref      [fanout]uint32 // lot or node
	sums     [fanout]bounds
}

// lot is what the index finds: a ladder, or one order alone.
type lot struct {
	lo, hi uint32
	rank   uint32 // of the best price
	tag    uint32 // tells lots of one place and rank apart
	leaf   uint32 // the node that it is in
	tree   uint32 // the class whose tree it is in
	owner  uint32 // the provider of offers
	head   uint32 // the best price level, or the order that is alone
	ladder uint32 // the levels, where there are several
	next   uint32 // next lot of the same order, where that is alone
	room   uint32 // no order has more open
	group  uint8  // lots of one group are near each other
	alone  bool
	moved  bool // the rank is not yet that of the best level
}

// keyOf orders lots: by group, then rank, then tag, of which 24 bits are enough.
func keyOf(group uint8, rank, tag uint32) uint64 {
	return uint64(group)<<56 | uint64(rank)<<24 | uint64(tag&(1<<24-1))
}

func (l *lot) key() uint64 { return keyOf(l.group, l.rank, l.tag) }

// groupOf puts lots together that are alike in what their carbon costs, within a
// quarter, and apart that are much shorter than others: then bounds tell well
// which groups a search can leave out.
func groupOf(factor, length uint32) uint8 {
	short := uint8(0)
	for _, minutes := range [...]uint32{36 * 60, 6 * 60, 60} {
		if length < minutes {
			short++
		}
	}
	return short<<6 | min(logarithm(factor), 63)
}

// logarithm numbers factors: sixteen octaves of four, from a milliwatt-hour times
// 64 on.
func logarithm(v uint32) uint8 {
	length := bits.Len32(v >> 6)
	if length == 0 {
		return 0
	}
	return uint8(length-1)*4 + uint8(v>>(length+3)&3)
}

// tree is an index over some lots; several trees share the nodes of one index.
type tree struct {
	root uint32
	sum  bounds // of all lots; nothing where there are none
}

// index keeps nodes and lots of many trees.
type index struct {
	nodes slab[node]
	lots  slab[lot]
	dirty []uint32 // leaves with entries that were struck out
}

// before counts the entries with a key below one, without branches that depend
// on the keys.
func (n *node) before(key uint64) int {
	low, length := 0, int(n.n)
	for length > 0 {
		half := (length + 1) >> 1
		_, below := bits.Sub64(n.key[(low+half-1)&(fanout-1)], key, 0)
		low += half & -int(below)
		length -= half
	}
	return low
}

// seek finds the leaf and the position in it at which a key belongs.
func (x *index) seek(root uint32, key uint64) (leaf uint32, at int) {
	for {
		n := x.nodes.at(root)
		i := n.before(key)
		if n.leaf {
			return root, i
		}
		// The child whose first key is the last one not above the key.
		if i == int(n.n) || n.key[i] != key {
			i--
		}
		root = n.ref[max(i, 0)]
	}
}

// insert puts a lot into a tree.
func (x *index) insert(t *tree, id uint32, sum *bounds) {
	if t.root == 0 {
		x.start(t, id, sum)
		return
	}
	l := x.lots.at(id)
	leaf, at := x.seek(t.root, l.key())
	n := x.nodes.at(leaf)
	if n.n == fanout {
		if right := x.split(t, leaf); at > int(n.n) {
			at -= int(n.n)
			leaf = right
			n = x.nodes.at(leaf)
		}
	}
	n.open(at, l.key(), id, sum)
	l.leaf = leaf
	x.widen(t, leaf, sum)
}

// start makes a tree of a first lot.
func (x *index) start(t *tree, id uint32, sum *bounds) {
	l := x.lots.at(id)
	t.root = x.newNode(l.tree, true)
	x.nodes.at(t.root).open(0, l.key(), id, sum)
	l.leaf = t.root
	t.sum = *sum
}

func (x *index) newNode(tree uint32, leaf bool) uint32 {
	id := x.nodes.take()
	n := x.nodes.at(id)
	n.parent, n.n, n.leaf, n.struck, n.removals, n.tree = 0, 0, leaf, false, 0, tree
	return id
}

// set changes the bounds of an entry.
func (n *node) set(at int, sum *bounds) {
	n.sums[at] = *sum
	n.ranks[at], n.los[at], n.his[at], n.factors[at] = sum.rank, sum.lo, sum.hi, sum.factor
}

// copy copies entries of a node, which may be the same one, to a position.
func (n *node) copy(at int, from *node, low, high int) {
	copy(n.key[at:], from.key[low:high])
	copy(n.ref[at:], from.ref[low:high])
	copy(n.sums[at:], from.sums[low:high])
	copy(n.ranks[at:], from.ranks[low:high])
	copy(n.los[at:], from.los[low:high])
	copy(n.his[at:], from.his[low:high])
	copy(n.factors[at:], from.factors[low:high])
}

// open makes room at a position and fills it.
func (n *node) open(at int, key uint64, ref uint32, sum *bounds) {
	n.copy(at+1, n, at, int(n.n))
	n.key[at], n.ref[at] = key, ref
	n.set(at, sum)
	n.n++
}

// close takes an entry out.
func (n *node) close(at int) {
	n.copy(at, n, at+1, int(n.n))
	n.n--
}

// place is the position of a child or lot.
func (n *node) place(ref uint32) int {
	for i, r := range n.ref[:n.n] {
		if r == ref {
			return i
		}
	}
	panic("orderbook: a tree holds what names it")
}

// split moves the upper half of a full node into a new one and returns that.
func (x *index) split(t *tree, id uint32) uint32 {
	n := x.nodes.at(id)
	rightID := x.newNode(n.tree, n.leaf)
	right := x.nodes.at(rightID)
	const half = fanout / 2
	right.copy(0, n, half, int(n.n))
	right.n, n.n = n.n-half, half
	x.adopt(rightID)
	if n.parent == 0 {
		root := x.newNode(n.tree, false)
		sum := n.cover()
		x.nodes.at(root).open(0, n.key[0], id, &sum)
		n.parent = root
		t.root = root
	}
	parentID := n.parent
	parent := x.nodes.at(parentID)
	at := parent.place(id)
	sum := n.cover()
	parent.set(at, &sum)
	if at == 0 {
		// The first child has what is below its key, too; now it has a neighbour
		// that may begin below it.
		parent.key[0] = n.key[0]
	}
	if parent.n == fanout {
		if upper := x.split(t, parentID); at >= int(parent.n) {
			at -= int(parent.n)
			parentID = upper
			parent = x.nodes.at(parentID)
		}
	}
	sum = right.cover()
	parent.open(at+1, right.key[0], rightID, &sum)
	right.parent = parentID
	// Where the parent was split, what is above it was made to cover only what
	// it then had.
	x.widen(t, parentID, &sum)
	return rightID
}

// adopt tells what is beneath a node where it now is.
func (x *index) adopt(id uint32) {
	n := x.nodes.at(id)
	for _, ref := range n.ref[:n.n] {
		if n.leaf {
			x.lots.at(ref).leaf = id
		} else {
			x.nodes.at(ref).parent = id
		}
	}
}

// cover are the bounds of all entries.
func (n *node) cover() bounds {
	sum := nothing
	for i := range n.sums[:n.n] {
		sum.widen(&n.sums[i])
	}
	return sum
}

// widen extends the bounds above a node to cover a new lot in it.
func (x *index) widen(t *tree, id uint32, sum *bounds) {
	for {
		parentID := x.nodes.at(id).parent
		if parentID == 0 {
			t.sum.widen(sum)
			return
		}
		parent := x.nodes.at(parentID)
		at := parent.place(id)
		wider := parent.sums[at]
		if !wider.widen(sum) {
			return
		}
		parent.set(at, &wider)
		id = parentID
	}
}

// remove takes a lot out of its tree.
func (x *index) remove(t *tree, id uint32) {
	leaf := x.lots.at(id).leaf
	n := x.nodes.at(leaf)
	n.close(n.place(id))
	x.settle(t, leaf)
}

// rekey gives a lot another rank.
func (x *index) rekey(t *tree, id, rank uint32) {
	l := x.lots.at(id)
	n := x.nodes.at(l.leaf)
	at, key := n.place(id), keyOf(l.group, rank, l.tag)
	sum := n.sums[at]
	sum.rank = rank
	if last := int(n.n) - 1; n.parent != 0 && (key < n.key[0] || key > n.key[last]) {
		x.remove(t, id)
		l.rank = rank
		x.insert(t, id, &sum)
		return
	}
	better := rank < l.rank
	l.rank = rank
	if int(n.n) > 1 {
		n.close(at)
		n.open(n.before(key), key, id, &sum)
	} else {
		n.key[at] = key
		n.set(at, &sum)
	}
	if better {
		x.widen(t, l.leaf, &sum)
	} else {
		x.settle(t, l.leaf)
	}
}

// strike takes a lot out of its tree as remove does, but leaves the gap and the
// bounds to sweep, so that many lots of one leaf cost little more than one.
func (x *index) strike(id uint32) {
	leaf := x.lots.at(id).leaf
	n := x.nodes.at(leaf)
	n.ref[n.place(id)] = 0
	if !n.struck {
		n.struck = true
		x.dirty = append(x.dirty, leaf)
	}
}

// sweep closes the gaps that strike left in the leaves of a tree.
func (x *index) sweep(trees []tree) {
	for _, leaf := range x.dirty {
		n := x.nodes.at(leaf)
		n.struck = false
		kept := 0
		for i := range int(n.n) {
			if n.ref[i] == 0 {
				continue
			}
			if kept != i {
				n.copy(kept, n, i, i+1)
			}
			kept++
		}
		n.n = int32(kept)
		x.settle(&trees[n.tree], leaf)
	}
	x.dirty = x.dirty[:0]
}

// settle brings what is above a node in order after entries of it were taken
// out: an empty node goes, a small one joins its neighbour, bounds tighten.
func (x *index) settle(t *tree, id uint32) {
	rankOnly := true
	for {
		n := x.nodes.at(id)
		parentID := n.parent
		if n.n == 0 {
			x.nodes.give(id)
			if parentID == 0 {
				t.root, t.sum = 0, nothing
				return
			}
			parent := x.nodes.at(parentID)
			parent.close(parent.place(id))
			id, rankOnly = parentID, false
			continue
		}
		if parentID == 0 {
			if !n.leaf && n.n == 1 {
				t.root = n.ref[0]
				x.nodes.at(t.root).parent = 0
				x.nodes.give(id)
				t.sum = n.sums[0]
				return
			}
			t.sum = n.tightened(&t.sum, rankOnly)
			return
		}
		parent := x.nodes.at(parentID)
		at := parent.place(id)
		if n.n < fanout/4 && x.join(parent, at) {
			rankOnly = false
		}
		was := parent.sums[at]
		sum := n.tightened(&was, rankOnly)
		if sum == was {
			return
		}
		parent.set(at, &sum)
		was.rank = sum.rank
		rankOnly = rankOnly && sum == was
		id = parentID
	}
}

// join moves what is in the right neighbour of a small node into it if there is
// room to spare.
func (x *index) join(parent *node, at int) bool {
	if at+1 >= int(parent.n) {
		return false
	}
	id, rightID := parent.ref[at], parent.ref[at+1]
	n, right := x.nodes.at(id), x.nodes.at(rightID)
	if right.struck || n.n+right.n > fanout/2 {
		return false
	}
	end := int(n.n)
	n.copy(end, right, 0, int(right.n))
	if !n.leaf {
		// Keys below the first of the right node's may lie beneath that, down to
		// the right node's own.
		n.key[end] = parent.key[at+1]
	}
	n.n += right.n
	x.adopt(id)
	parent.close(at + 1)
	x.nodes.give(rightID)
	return true
}

// tightened are the bounds of a node of which entries were taken out, given what
// they were. Where all seems to be of one time mostly only the rank is looked at:
// bounds that are too wide cost a look beneath, no wrong match.
func (n *node) tightened(was *bounds, rankOnly bool) bounds {
	n.removals++
	if !rankOnly || n.removals%8 == 0 || !n.sums[0].alike(was) || !n.sums[n.n-1].alike(was) {
		return n.cover()
	}
	sum := *was
	sum.rank = n.ranks[0]
	for _, rank := range n.ranks[1:n.n] {
		sum.rank = min(sum.rank, rank)
	}
	return sum
}

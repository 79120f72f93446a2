package orderbook

import "fmt"

// Check reads the whole index of a book: bounds cover what is beneath them, keys
// are in order, every order is where it says it is, and none is missing. It
// returns what is wrong.
func (b *Book) Check() error {
	offers := map[uint32]bool{}
	for class := range b.trees {
		err := b.supply.check(&b.trees[class], uint32(class), func(id uint32, l *lot) (bounds, error) {
			sum := nothing
			for slot := l.head; slot != 0; slot = b.offers.at(slot).next {
				o := b.offers.at(slot)
				if o.generation&1 == 0 || offers[slot] && !l.alone || o.queued == l.alone || o.class != uint32(class) {
					return sum, fmt.Errorf("lot %d holds offer %d wrongly", id, o.id)
				}
				offers[slot] = true
				entry := o.bounds(l)
				entry.room = uint32(o.free)
				if o.steps != 0 {
					entry.room = 0
				}
				sum.widen(&entry)
				if l.alone {
					break
				}
			}
			return sum, nil
		})
		if err != nil {
			return fmt.Errorf("offers of class %d: %w", class, err)
		}
	}
	for slot := uint32(1); slot < b.offers.next; slot++ {
		o := b.offers.at(slot)
		if o.generation&1 == 1 && !offers[slot] && o.steps == 0 && o.free >= o.minFill {
			return fmt.Errorf("offer %d is in no lot", o.id)
		}
	}
	bids := map[uint32]bool{}
	for class := range b.bidClasses.trees {
		err := b.demand.check(&b.bidClasses.trees[class], uint32(class), func(id uint32, l *lot) (bounds, error) {
			sum := nothing
			for slot := l.head; slot != 0; slot = b.bids.at(slot).next {
				r := b.bids.at(slot)
				if r.generation&1 == 0 || bids[slot] || r.lot != id || r.class != uint32(class) {
					return sum, fmt.Errorf("lot %d holds bid %d wrongly", id, r.id)
				}
				bids[slot] = true
				entry := r.bounds(b, l)
				sum.widen(&entry)
			}
			return sum, nil
		})
		if err != nil {
			return fmt.Errorf("bids of class %d: %w", class, err)
		}
	}
	for slot := uint32(1); slot < b.bids.next; slot++ {
		if r := b.bids.at(slot); r.generation&1 == 1 && !bids[slot] {
			return fmt.Errorf("bid %d is in no lot", r.id)
		}
	}
	return nil
}

func (x *index) check(t *tree, number uint32, sumOf func(uint32, *lot) (bounds, error)) error {
	if len(x.dirty) != 0 {
		return fmt.Errorf("%d leaves are not swept", len(x.dirty))
	}
	if t.root == 0 {
		if t.sum != nothing {
			return fmt.Errorf("bounds of nothing are %+v", t.sum)
		}
		return nil
	}
	var last [2]uint64
	var walk func(id, parent uint32) (bounds, error)
	walk = func(id, parent uint32) (bounds, error) {
		n, sum := x.nodes.at(id), nothing
		if n.parent != parent || n.n == 0 || n.tree != number || n.struck {
			return sum, fmt.Errorf("node %d of %d entries has parent %d and tree %d, want %d and %d", id, n.n, n.parent, n.tree, parent, number)
		}
		for i := range int(n.n) {
			var beneath bounds
			var err error
			if n.leaf {
				l := x.lots.at(n.ref[i])
				key := [2]uint64{n.z[i], n.order[i]}
				if key[0] != l.z() || key[1] != l.order() || l.leaf != id || l.tree != number {
					return sum, fmt.Errorf("lot %d is not where it says", n.ref[i])
				}
				if key[0] < last[0] || key[0] == last[0] && key[1] < last[1] {
					return sum, fmt.Errorf("lot %d is out of order", n.ref[i])
				}
				last = key
				beneath, err = sumOf(n.ref[i], l)
			} else {
				beneath, err = walk(n.ref[i], id)
			}
			if err != nil {
				return sum, err
			}
			if cover := n.sums[i]; cover.widen(&beneath) {
				return sum, fmt.Errorf("entry %d of node %d: %+v does not cover %+v", i, id, n.sums[i], beneath)
			}
			sum.widen(&n.sums[i])
		}
		return sum, nil
	}
	sum, err := walk(t.root, 0)
	if err != nil {
		return err
	}
	if cover := t.sum; cover.widen(&sum) {
		return fmt.Errorf("bounds of the tree %+v do not cover %+v", t.sum, sum)
	}
	return nil
}

func (b *Book) Shape() string {
	s := ""
	t := b.bidClasses.trees[0:]
	if len(t) == 0 {
		return ""
	}
	var walk func(id uint32, depth int)
	walk = func(id uint32, depth int) {
		n := b.demand.nodes.at(id)
		s += fmt.Sprintf("%*snode %d leaf %t:", depth*2, "", id, n.leaf)
		for i := range int(n.n) {
			s += fmt.Sprintf(" %d(%d)", n.order[i]>>32, n.ref[i])
		}
		s += "\n"
		if !n.leaf {
			for i := range int(n.n) {
				walk(n.ref[i], depth+1)
			}
		}
	}
	if t[0].root != 0 {
		walk(t[0].root, 0)
	}
	return s
}

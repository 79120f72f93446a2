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
			for slot := l.head; slot != 0; slot = b.offerLinks.at(slot).next {
				o := b.offers.at(slot)
				if b.offerLinks.at(slot).generation&1 == 0 || offers[slot] && !l.alone || b.queued(slot) == l.alone || o.class != uint32(class) {
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
		if b.offerLinks.at(slot).generation&1 == 1 && !offers[slot] && o.steps == 0 && o.free >= o.minFill {
			return fmt.Errorf("offer %d is in no lot", o.id)
		}
	}
	bids := map[uint32]bool{}
	for class := range b.bidClasses.trees {
		err := b.demand.check(&b.bidClasses.trees[class], uint32(class), func(id uint32, l *lot) (bounds, error) {
			sum := nothing
			for slot := l.head; slot != 0; slot = b.bidLinks.at(slot).next {
				r := b.bids.at(slot)
				if !b.rests(slot) || bids[slot] || b.bidLinks.at(slot).lot != id || r.class != uint32(class) {
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
		if b.rests(slot) && !bids[slot] {
			return fmt.Errorf("bid %d is in no lot", b.bids.at(slot).id)
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
	sum, err := x.checkNode(t.root, 0, number, 0, ^uint64(0), sumOf)
	if err != nil {
		return err
	}
	if cover := t.sum; cover.widen(&sum) {
		return fmt.Errorf("bounds of the tree %+v do not cover %+v", t.sum, sum)
	}
	return nil
}

// checkNode checks what is beneath a node: all its keys are at least low and
// below high.
func (x *index) checkNode(id, parent, number uint32, low, high uint64, sumOf func(uint32, *lot) (bounds, error)) (bounds, error) {
	n, sum := x.nodes.at(id), nothing
	if n.parent != parent || n.n == 0 || n.tree != number || n.struck {
		return sum, fmt.Errorf("node %d of %d entries has parent %d and tree %d, want %d and %d", id, n.n, n.parent, n.tree, parent, number)
	}
	for i := range int(n.n) {
		var beneath bounds
		var err error
		key := n.key[i]
		if n.ranks[i] != n.sums[i].rank {
			return sum, fmt.Errorf("entry %d of node %d has two ranks", i, id)
		}
		if n.leaf {
			l := x.lots.at(n.ref[i])
			switch {
			case key != l.key() || l.leaf != id || l.tree != number:
				return sum, fmt.Errorf("lot %d is not where it says", n.ref[i])
			case key < low || high < key || i > 0 && key < n.key[i-1]:
				return sum, fmt.Errorf("lot %d is out of order", n.ref[i])
			}
			beneath, err = sumOf(n.ref[i], l)
		} else {
			from, to := key, high
			if i == 0 {
				from = low
			} else if key < n.key[i-1] {
				return sum, fmt.Errorf("child %d of node %d is out of order", i, id)
			}
			if i+1 < int(n.n) {
				to = n.key[i+1]
			}
			beneath, err = x.checkNode(n.ref[i], id, number, from, to, sumOf)
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

package orderbook

import "fmt"

// Check reads the whole index of a book: bounds cover what is beneath them, keys
// and price levels are in order, every order is where it says it is, and none is
// missing. It returns what is wrong.
func (b *Book) Check() error {
	offers, err := b.supply.checkSide(func(slot uint32, l *lot) bounds {
		o := b.supply.orders.at(slot)
		sum := b.offerTermsOf(o).bounds(l)
		sum.room = uint32(o.open)
		if o.steps != 0 {
			sum.room = 0
		}
		return sum
	}, func(slot uint32) (class, terms uint32) {
		t := b.supply.orders.at(slot).terms
		return b.offerTerms.values.at(t).class, b.offerTerms.values.at(t).lot
	})
	if err != nil {
		return fmt.Errorf("offers: %w", err)
	}
	for slot := uint32(1); slot < b.supply.orders.next; slot++ {
		o := b.supply.orders.at(slot)
		if b.supply.has(slot) && b.suspended[slot] == offers[slot] && o.steps == 0 && o.open >= b.offerTermsOf(o).minFill {
			return fmt.Errorf("offer %d is in no lot", o.id)
		}
	}
	bids, err := b.demand.checkSide(func(slot uint32, l *lot) bounds {
		return b.boundsOf(b.demand.orders.at(slot), l)
	}, func(slot uint32) (class, terms uint32) {
		t := b.demand.orders.at(slot).terms
		return b.bidTerms.values.at(t).class, b.bidTerms.values.at(t).lot
	})
	if err != nil {
		return fmt.Errorf("bids: %w", err)
	}
	for slot := uint32(1); slot < b.demand.orders.next; slot++ {
		if b.demand.has(slot) && !bids[slot] {
			return fmt.Errorf("bid %d is in no lot", b.demand.orders.at(slot).id)
		}
	}
	return nil
}

// checkSide checks the trees and ladders of a side and returns the orders in them.
func (s *side) checkSide(boundsOf func(uint32, *lot) bounds, of func(slot uint32) (class, lot uint32)) (map[uint32]bool, error) {
	if len(s.emptied)+len(s.moved) > 0 {
		return nil, fmt.Errorf("%d and %d lots are not tidied", len(s.emptied), len(s.moved))
	}
	seen := map[uint32]bool{}
	for class := range s.trees {
		err := s.check(&s.trees[class], uint32(class), func(id uint32, l *lot) (bounds, error) {
			if l.alone {
				o := s.orders.at(l.head)
				if c, _ := of(l.head); !s.has(l.head) || o.queued || c != uint32(class) || s.rankOf(o.price) != l.rank {
					return nothing, fmt.Errorf("lot %d holds order %d wrongly", id, o.id)
				}
				seen[l.head] = true
				return boundsOf(l.head, l), nil
			}
			slots, err := s.checkLadder(id, l)
			sum := nothing
			for _, slot := range slots {
				c, lot := of(slot)
				if seen[slot] || c != uint32(class) || lot != id {
					return nothing, fmt.Errorf("ladder %d holds order %d wrongly", id, s.orders.at(slot).id)
				}
				seen[slot] = true
				entry := boundsOf(slot, l)
				sum.widen(&entry)
			}
			return sum, err
		})
		if err != nil {
			return nil, fmt.Errorf("class %d: %w", class, err)
		}
	}
	return seen, nil
}

// checkLadder checks the levels of a ladder, best first, and returns the orders in
// their order.
func (s *side) checkLadder(id uint32, l *lot) (slots []uint32, err error) {
	last, n := uint32(0), 0
	for level := l.head; level != 0; level = s.worse(l, level) {
		q := s.levels.at(level)
		rank := s.rankOf(q.price)
		if level == l.head && rank != l.rank || n > 0 && rank <= last || q.lot != id || q.head == 0 || q.room > l.room {
			return nil, fmt.Errorf("level %d of ladder %d is wrong: rank %d after %d", level, id, rank, last)
		}
		last = rank
		n++
		arrival, prev := uint64(0), uint32(0)
		for slot := q.head; slot != 0; slot = s.orders.at(slot).next {
			o := s.orders.at(slot)
			if !s.has(slot) || !o.queued || o.place != level || o.prev != prev || o.price != q.price || prev != 0 && o.arrival <= arrival ||
				o.arrival > q.last || uint32(o.open) > q.room {
				return nil, fmt.Errorf("level %d holds order %d wrongly", level, o.id)
			}
			arrival, prev = o.arrival, slot
			slots = append(slots, slot)
		}
		if q.tail != prev {
			return nil, fmt.Errorf("level %d does not end with its last order", level)
		}
	}
	if l.ladder == 0 {
		return slots, nil
	}
	k, kept := &s.ladders[l.ladder-1], 0
	for at, rackID := range k.racks {
		r := s.racks.at(rackID)
		kept += int(r.n)
		for i := range int(r.n) {
			if r.key[i] < k.least[at] || at+1 < len(k.least) && r.key[i] >= k.least[at+1] || s.levels.at(r.level[i]).room > k.room[at] ||
				^r.key[i] != s.rankOf(s.levels.at(r.level[i]).price) {
				return nil, fmt.Errorf("rung %d of rack %d of ladder %d is wrong", i, at, id)
			}
		}
	}
	if kept != n {
		return nil, fmt.Errorf("ladder %d has %d levels of which %d are found", id, kept, n)
	}
	return slots, nil
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

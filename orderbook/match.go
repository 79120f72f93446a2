package orderbook

import (
	"slices"

	"github.com/corehour/corehour"
)

// fillFromAll gives a bid all the leases that it can have now.
func (b *Book) fillFromAll(bid *Bid) {
	switch {
	case bid.allOrNone():
		b.fillAllOrNone(bid, nil)
	case bid.splittable():
		b.fillPieces(bid)
	default:
		b.fillParts(bid)
	}
}

// fillAllOrNone gives a bid that fills as a whole everything or nothing; of is the
// new capacity that a resting one is tried because of.
func (b *Book) fillAllOrNone(bid *Bid, of *fresh) {
	if bid.splittable() {
		b.fillPieces(bid)
		return
	}
	b.fillWhole(bid, of)
}

// fillParts takes the best lease again and again until nothing is open, no lease
// is possible or the bid may have no more of them. When what it needs at least
// falls, offers that had too little may have enough, and the search starts over;
// that happens at most once, because from then on it needs all that is open.
func (b *Book) fillParts(bid *Bid) {
	for minimum := bid.Units + 1; bid.seeks() && bid.atLeast() < minimum; {
		minimum = bid.atLeast()
		b.beginSearch(bid)
		for bid.seeks() && bid.atLeast() == minimum {
			i, ok := b.next()
			if !ok {
				break
			}
			b.takeLease(bid, &i)
		}
		b.settle()
	}
}

// takeLease takes a lease that next has found, and of a ladder as many more as are
// better than anything else that is known.
func (b *Book) takeLease(bid *Bid, i *item) {
	slot := i.at
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	if corehour.Units(t.minFill) > bid.Units {
		return
	}
	at, d := corehour.Minute(i.major), b.search.terms.d
	if o.queued && at == max(corehour.Minute(t.from), b.now) && at.Add(d) == corehour.Minute(t.to) {
		b.takeQueued(bid, i)
		return
	}
	queued := o.queued
	b.take(bid, slot, at, d, min(bid.Units, b.fewest(o, at, at.Add(d))))
	if queued && (o.steps != 0 || o.open == 0) {
		// The ladder goes on without it.
		if b.leaveLadder(slot); bid.seeks() {
			b.again(i)
		}
		if o.steps != 0 && bid.seeks() {
			b.again(&item{at: slot, class: i.class})
		}
		return
	}
	if bid.seeks() {
		b.again(i)
	}
}

// takeQueued takes leases of all the time that the offers of a ladder have left,
// one after the other, until what comes next in it is not better than what else
// is known. Such leases leave offers alike, so that the trees need not know.
func (b *Book) takeQueued(bid *Bid, i *item) {
	s, minimum := &b.search, b.search.need
	l := b.supply.lots.at(i.ref)
	o := b.supply.orders.at(i.at)
	f := Fill{
		Bid: bid.ID, Start: corehour.Minute(i.major), End: corehour.Minute(i.major).Add(s.terms.d),
		Carbon: b.grid.Rate(b.offerTermsOf(o).carbon(), corehour.Minute(i.major), s.terms.d),
	}
	to, cost := bid.buyer(), i.key-o.price
	for {
		f.Offer, f.Units = corehour.OfferID(o.id), min(bid.Units, corehour.Units(o.open))
		f.Price = to.price(o, f.Carbon)
		b.fills, b.sold = append(b.fills, f), append(b.sold, i.at)
		bid.MaxLeases--
		bid.Units -= f.Units
		if o.open -= int32(f.Units); o.open == 0 {
			b.leaveLadder(i.at)
		}
		if !bid.seeks() {
			return
		}
		if i.at = 0; bid.atLeast() == minimum {
			i.at = b.supply.first(l, uint32(minimum))
		}
		if i.at == 0 {
			return
		}
		o = b.supply.orders.at(i.at)
		i.key, i.minor = o.price+cost, o.arrival
		if i.key > s.cut {
			return
		}
		if len(s.heap) > 0 && !i.less(&s.heap[0]) {
			s.heap.push(i)
			return
		}
	}
}

// take makes a lease: the units are the offer's no more and the bid's no more.
func (b *Book) take(bid *Bid, slot uint32, at corehour.Minute, d corehour.Minutes, units corehour.Units) {
	b.sell(slot, at, d, units, bid.buyer())
	bid.MaxLeases--
	if bid.splittable() {
		bid.Duration -= d
		bid.hold(Span{at, at.Add(d)})
	} else {
		bid.Units -= units
	}
}

// buyer is what of a bid decides the price of its fill.
type buyer struct {
	id          corehour.BidID
	arrival     uint64
	limit       corehour.Price
	carbonPrice corehour.CarbonPrice
}

func (bid *Bid) buyer() buyer { return buyer{bid.ID, bid.Arrival, bid.Limit, bid.CarbonPrice} }

// price is what a fill costs: of bid and offer, the one that came first sets it.
func (to *buyer) price(o *order, carbon corehour.CarbonRate) corehour.Price {
	if to.arrival < o.arrival {
		return (to.limit - corehour.CarbonCost(to.carbonPrice, carbon)).FloorToTick()
	}
	return corehour.Price(o.price)
}

// sell notes a fill and takes its units out of the offer.
func (b *Book) sell(slot uint32, at corehour.Minute, d corehour.Minutes, units corehour.Units, to buyer) {
	o := b.supply.orders.at(slot)
	f := Fill{
		Bid: to.id, Offer: corehour.OfferID(o.id), Units: units, Start: at, End: at.Add(d),
		Carbon: b.grid.Rate(b.offerTermsOf(o).carbon(), at, d),
	}
	f.Price = to.price(o, f.Carbon)
	b.change(slot, f.Start, f.End, -units)
	b.fills, b.sold = append(b.fills, f), append(b.sold, slot)
}

// hold adds a piece to those that a splittable bid has, in order of time.
func (bid *Bid) hold(piece Span) {
	at, _ := slices.BinarySearchFunc(bid.Taken, piece, func(x, y Span) int { return int(x.From - y.From) })
	bid.Taken = slices.Insert(slices.Clip(bid.Taken), at, piece)
}

// fillPieces gives a splittable bid the best piece again and again. One that
// fills as a whole gives back what it has where that is not everything.
func (b *Book) fillPieces(bid *Bid) {
	before, made := *bid, len(b.fills)
	for bid.seeks() {
		b.beginSearch(bid)
		i, ok := b.next()
		if !ok {
			break
		}
		b.take(bid, i.at, corehour.Minute(i.major), b.search.terms.d, bid.Units)
		b.settle()
	}
	if bid.allOrNone() && !bid.done() {
		*bid = before
		b.undoFrom(made)
	}
}

// undo gives back all fills of the command.
func (b *Book) undo() { b.undoFrom(0) }

// undoFrom gives back the fills of the command from one on, all of which are of
// one bid, as if they had not been made.
func (b *Book) undoFrom(made int) {
	for i := len(b.fills) - 1; i >= made; i-- {
		f := &b.fills[i]
		b.change(b.sold[i], f.Start, f.End, f.Units)
	}
	b.settle()
	b.fills, b.sold = b.fills[:made], b.sold[:made]
}

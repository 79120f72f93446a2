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
			b.takeLease(bid, i)
		}
		b.settle()
	}
}

// takeLease takes a lease that next has found.
func (b *Book) takeLease(bid *Bid, i item) {
	slot := b.offerOf(&i)
	o := b.offers.at(slot)
	if corehour.Units(o.minFill) > bid.Units {
		return
	}
	at, d := corehour.Minute(i.major), b.search.terms.d
	b.take(bid, slot, at, d, min(bid.Units, b.fewest(o, at, at.Add(d))))
	if i.kind == itemLease && !b.supply.lots.at(i.ref).alone && (o.steps != 0 || o.free == 0) {
		// The queue goes on without it.
		if !b.leave(slot) && bid.seeks() {
			b.again(i)
		}
		if o.steps != 0 && bid.seeks() {
			b.again(item{kind: itemSingle, ref: slot, class: i.class})
		}
		return
	}
	if bid.seeks() {
		b.again(i)
	}
}

// take makes a lease: the units are the offer's no more and the bid's no more.
func (b *Book) take(bid *Bid, slot uint32, at corehour.Minute, d corehour.Minutes, units corehour.Units) {
	b.sell(slot, at, d, units, buyer{bid.ID, bid.Arrival, bid.Limit, bid.CarbonPrice})
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

// sell notes a fill and takes its units out of the offer. Of bid and offer, the
// one that came first sets the price.
func (b *Book) sell(slot uint32, at corehour.Minute, d corehour.Minutes, units corehour.Units, to buyer) {
	o := b.offers.at(slot)
	f := Fill{
		Bid: to.id, Offer: corehour.OfferID(o.id), Units: units, Start: at, End: at.Add(d),
		Price: corehour.Price(o.price), Carbon: b.grid.Rate(o.carbon(&b.classes[o.class]), at, d),
	}
	if to.arrival < o.arrival {
		f.Price = (to.limit - corehour.CarbonCost(to.carbonPrice, f.Carbon)).FloorToTick()
	}
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
		slot := b.offerOf(&i)
		b.take(bid, slot, corehour.Minute(i.major), b.search.terms.d, bid.Units)
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

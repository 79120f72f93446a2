package exchange

import (
	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// amend sets a term that a command names and reports whether that changes it.
func amend[T comparable](term, to *T) (changed bool) {
	if to == nil || *to == *term {
		return false
	}
	*term = *to
	return true
}

// amendStart is amend for the beginning of a window. What is over does not matter:
// all beginnings up to the present are the same.
func amendStart(term, to *corehour.Minute, startable corehour.Minute) (changed bool) {
	if to == nil || max(*to, startable) == max(*term, startable) {
		return false
	}
	*term = max(*to, startable)
	return true
}

// amendBid changes the terms of an open bid. The new terms are checked on a copy;
// the bid itself changes only once nothing can refuse them any more.
func (s *State) amendBid(c AmendBid) Reply {
	b := s.bids[c.Bid]
	if b == nil || b.Consumer != c.Consumer {
		return unknownBid()
	}
	if b.cover != nil {
		return reject(CodeCoverBid, "bid", "the exchange bids here for what "+b.CoverOf.String()+" did not deliver; cancel it and bid anew")
	}
	next := *b
	fewer, other := next.amend(c, s.startable())
	switch {
	case !fewer && !other:
		reply := Reply{Bid: b.ID}
		s.restOrClose(b, b.ref, &reply)
		return reply
	case next.Units < 0:
		return reject(CodeOutOfRange, "units", "units are 0 to 1000000")
	case next.Units != b.Units && len(b.taken) > 0:
		return reject(CodePiecesTaken, "units", "pieces are taken of the bid, each with all its units")
	case next.open <= 0:
		return s.cancelOneBid(c.Consumer, c.Bid)
	}
	if refusal := s.checkTerms(&next, next.nextPiece()); refusal.Rejected() {
		return refusal
	}
	if refusal := s.trades(s.productNamed[b.Product]); refusal.Rejected() {
		return refusal
	}
	// Who owes more than its credit, since that was lowered, may still hold less.
	consumer := s.accountNamed[b.Consumer]
	hold, refusal := worstCase(&next.Bid, next.open, next.left, max(consumer.funds(), 0)+b.hold)
	if refusal.Rejected() {
		return refusal
	}
	if !other {
		return s.reduceBid(b, &next, hold)
	}
	limits := s.limitsOf(consumer)
	if refusal := s.amendable(limits, consumer, &next.Bid, hold-b.hold); refusal.Rejected() {
		return refusal
	}
	reply := s.replaceBid(b, &next, hold)
	if !reply.Rejected() {
		s.counted(limits, consumer)
	}
	return reply
}

// amendable refuses new terms, other than fewer units, of an account that is halted
// or where they go beyond its limits.
func (s *State) amendable(l *corehour.Limits, consumer *account, next *corehour.Bid, more corehour.Money) Reply {
	refusal := consumer.places()
	if l == nil || refusal.Rejected() {
		return refusal
	}
	if refusal = s.bidWithin(l, next); refusal.Rejected() {
		return refusal
	}
	return s.withinLimits(l, consumer, request{hold: more})
}

// amend sets the terms that a command names: whether that is fewer units, and
// whether it is anything else. An all-or-none bid stays one unless its minimum
// fill is named.
func (b *bid) amend(c AmendBid, startable corehour.Minute) (fewer, other bool) {
	units := b.Units
	if amend(&b.Units, c.Units) {
		fewer, other = b.Units < units, b.Units > units
		b.open += b.Units - units
		if b.allOrNone {
			b.MinFill = b.Units
		} else {
			b.MinFill = max(1, min(b.MinFill, b.Units))
		}
	}
	if amend(&b.MinFill, c.MinFill) {
		other, b.allOrNone = true, b.isAllOrNone()
	}
	carbonCap := orderbook.NoCarbonCap
	if b.MaxCarbon != nil {
		carbonCap = *b.MaxCarbon
	}
	if amend(&carbonCap, c.MaxCarbon) {
		other, b.MaxCarbon = true, nil
		if carbonCap != orderbook.NoCarbonCap {
			b.MaxCarbon = &carbonCap
		}
	}
	for _, changed := range [...]bool{
		amend(&b.Limit, c.Limit), amendStart(&b.EarliestStart, c.EarliestStart, startable), amend(&b.LatestEnd, c.LatestEnd),
		amend(&b.CarbonPrice, c.CarbonPrice), amend(&b.ExpiresAt, c.ExpiresAt),
	} {
		other = other || changed
	}
	return fewer, other
}

// reduceBid lowers what is open of a bid, which keeps its place in the book. It
// can match: where it had too many units for its minimum fill, or for all of them
// at once, it may have few enough now.
func (s *State) reduceBid(b, next *bid, hold corehour.Money) Reply {
	s.amended(b, next, hold)
	out, ok := s.bookOf(b.Product).ReduceBid(s.startable(), b.ref, b.open)
	if !ok {
		panic("exchange: open " + b.ID.String() + " is not in its book")
	}
	reply := Reply{Bid: b.ID}
	s.fill(out, &reply)
	s.restOrClose(b, b.ref, &reply)
	return reply
}

// replaceBid puts a bid back into the book with new terms, as the newest one.
func (s *State) replaceBid(b, next *bid, hold corehour.Money) Reply {
	next.arrival = s.lastArrival + 1
	entry, refusal := s.bookBid(next)
	if refusal.Rejected() {
		return refusal
	}
	var old orderbook.Bid
	if b.PostOnly {
		old, _ = s.bookBid(b) // its names were known when it was placed
	}
	book := s.bookOf(b.Product)
	if _, ok := book.CancelBid(b.ref); !ok {
		panic("exchange: open " + b.ID.String() + " is not in its book")
	}
	ref, out := book.PlaceBid(s.startable(), &entry)
	if out.Refused {
		b.ref = book.RestoreBid(old)
		return wouldTrade("bid")
	}
	s.lastArrival++
	windowPasses, expires := bidDeadline(b), b.ExpiresAt
	s.amended(b, next, hold)
	b.ref = 0
	reply := Reply{Bid: b.ID}
	s.fill(out, &reply)
	s.restOrClose(b, ref, &reply)
	if s.bids[b.ID] == nil {
		return reply
	}
	if bidDeadline(b) != windowPasses {
		s.schedule(bidDeadline(b), bidWindowPasses, uint64(b.ID))
	}
	if b.ExpiresAt != expires {
		s.schedule(b.ExpiresAt, bidExpires, uint64(b.ID))
	}
	return reply
}

// amended takes over new terms and moves the hold with them.
func (s *State) amended(b, next *bid, hold corehour.Money) {
	change := hold - b.hold
	consumer := s.accountNamed[b.Consumer]
	if consumer.bidding += change; change > 0 {
		consumer.hold(change)
	} else {
		consumer.release(-change)
	}
	*b = *next
	b.hold = hold
	s.emit(corehour.EventBidAmended, b.ID.String(), corehour.BidAmended{
		Bid: b.Bid, Open: b.open, Left: b.left, Hold: hold, HoldChange: change,
	})
}

// amendOffer changes the terms of an open offer.
func (s *State) amendOffer(c AmendOffer) Reply {
	o := s.offers[c.Offer]
	if o == nil || o.Provider != c.Provider {
		return unknownOffer()
	}
	next := o.Offer
	units := amend(&next.Units, c.Units)
	other := units && next.Units > o.Units
	for _, changed := range [...]bool{
		amend(&next.Price, c.Price), amendStart(&next.From, c.From, s.startable()), amend(&next.To, c.To),
		amend(&next.MinFill, c.MinFill), amend(&next.MinDuration, c.MinDuration),
	} {
		other = other || changed
	}
	reply := Reply{Offer: o.ID}
	if !units && !other {
		return reply
	}
	if refusal := s.checkOffer(&next); refusal.Rejected() {
		return refusal
	}
	if refusal := s.trades(s.productNamed[o.Product]); refusal.Rejected() {
		return refusal
	}
	if other {
		provider := s.accountNamed[o.Provider]
		limits := s.limitsOf(provider)
		if refusal := s.sellable(limits, provider, &next, 0); refusal.Rejected() {
			return refusal
		}
		reply := s.replaceOffer(o, next)
		if !reply.Rejected() {
			s.counted(limits, provider)
		}
		return reply
	}
	if !s.bookOf(o.Product).ReduceOffer(s.startable(), o.ref, next.Units) {
		return sold()
	}
	o.Offer = next
	s.emit(corehour.EventOfferAmended, o.ID.String(), corehour.OfferAmended{Offer: next})
	return reply
}

func sold() Reply {
	return reject(CodeSold, "", "more than these terms allow is sold of the offer from now on")
}

// replaceOffer gives an offer new terms in the book, as the newest one; what is
// sold of it stays sold.
func (s *State) replaceOffer(o *offer, next corehour.Offer) Reply {
	ref, out, ok := s.bookOf(o.Product).AmendOffer(s.startable(), o.ref, s.bookOffer(&next, s.lastArrival+1))
	switch {
	case !ok:
		return sold()
	case out.Refused:
		return wouldTrade("offer")
	}
	s.lastArrival++
	windowPasses := offerDeadline(o)
	o.Offer, o.arrival, o.ref = next, s.lastArrival, ref
	s.emit(corehour.EventOfferAmended, o.ID.String(), corehour.OfferAmended{Offer: next})
	if offerDeadline(o) != windowPasses {
		s.schedule(offerDeadline(o), offerWindowPasses, uint64(o.ID))
	}
	reply := Reply{Offer: o.ID}
	s.fill(out, &reply)
	return reply
}

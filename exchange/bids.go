package exchange

import (
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

func (s *State) placeBid(c PlaceBid) Reply {
	b, entry, refusal := s.newBid(c)
	switch {
	case refusal.Rejected():
		return refusal
	case len(s.bids) >= MaxOpenBids:
		return noRoomForBids()
	}
	consumer := s.accountNamed[b.Consumer]
	if refusal := consumer.places(); refusal.Rejected() {
		return refusal
	}
	hold, refusal := worstCase(&b.Bid, b.open, b.left, consumer.funds())
	if refusal.Rejected() {
		return refusal
	}
	limits := s.limitsOf(consumer)
	if limits != nil {
		if refusal = s.bidWithin(limits, &b.Bid); !refusal.Rejected() {
			refusal = s.withinLimits(limits, consumer, request{orders: b.wouldRest(), hold: hold})
		}
		if refusal.Rejected() {
			return refusal
		}
	}
	reply := s.enter(b, entry, hold)
	if !reply.Rejected() {
		s.counted(limits, consumer)
	}
	return reply
}

// wouldRest is 1 for a bid that may stay in the book, 0 for one that never does.
func (b *bid) wouldRest() int {
	if b.TimeInForce == corehour.GoodTillCancelled || b.TimeInForce == corehour.GoodTillTime {
		return 1
	}
	return 0
}

func noRoomForBids() Reply {
	return reject(CodeTooMany, "", "the exchange has no room for more open bids")
}

// worstCase is what open units of a bid may cost at most, if the funds cover it.
func worstCase(b *corehour.Bid, open corehour.Units, left corehour.Minutes, funds corehour.Money) (corehour.Money, Reply) {
	if _, ok := corehour.CostWithin(b.Limit, b.Units, b.Duration, corehour.MaxMoney); !ok {
		return 0, reject(CodeTooLarge, "units", "units x duration x limit price is more than a billion")
	}
	hold := corehour.Cost(b.Limit, open, left)
	if funds < hold {
		return 0, reject(CodeInsufficientFunds, "limit_price",
			fmt.Sprintf("the bid may cost %s, available is %s", hold, funds))
	}
	return hold, Reply{}
}

// enter gives a checked bid its number and its place in the book, and lets it
// match. A post-only bid that would trade leaves everything as it was.
func (s *State) enter(b *bid, entry orderbook.Bid, hold corehour.Money) Reply {
	b.ID, b.arrival, b.hold = s.lastBid+1, s.lastArrival+1, hold
	entry.ID, entry.Arrival, entry.Group = b.ID, b.rank(), b.Group
	ref, out := s.bookOf(b.Product).PlaceBid(s.startable(), &entry)
	if out.Refused {
		return wouldTrade("bid")
	}
	s.lastBid++
	s.lastArrival++
	consumer := s.accountNamed[b.Consumer]
	consumer.hold(hold)
	consumer.bidding += hold
	s.listBid(b)
	s.emit(corehour.EventBidPlaced, b.ID.String(), corehour.BidPlaced{Bid: b.Bid, Hold: hold})
	reply := Reply{Bid: b.ID}
	s.fill(out, &reply)
	s.restOrClose(b, ref, &reply)
	if s.bids[b.ID] != nil {
		s.schedule(bidDeadline(b), bidWindowPasses, uint64(b.ID))
		if b.TimeInForce == corehour.GoodTillTime {
			s.schedule(b.ExpiresAt, bidExpires, uint64(b.ID))
		}
	}
	return reply
}

// restOrClose ends a bid that its match did not leave in the book, and completes
// the answer.
func (s *State) restOrClose(b *bid, ref orderbook.BidRef, reply *Reply) {
	b.ref = ref
	if s.bids[b.ID] != nil && ref == 0 {
		s.endBid(b, corehour.CloseUnfilled)
	}
	if s.bids[b.ID] == nil {
		reply.Closed = b.closedFor()
	} else {
		reply.Open = b.open
		if b.MinPiece > 0 {
			reply.Left = b.left
		}
	}
	reply.Hold = b.hold + b.leaseHolds
}

// closedFor is why a bid that has just been placed is closed already.
func (b *bid) closedFor() corehour.CloseReason {
	switch {
	case b.open == 0:
		return corehour.CloseFilled
	case b.leasesLeft == 0:
		return corehour.CloseMaxLeases
	}
	return corehour.CloseUnfilled
}

// after is what a bid seeks once it has a lease: a plain bid fewer units, a
// splittable one fewer minutes for all its units.
func (b *bid) after(open corehour.Units, left corehour.Minutes, units corehour.Units, d corehour.Minutes) (corehour.Units, corehour.Minutes) {
	if b.MinPiece > 0 {
		left -= d
	} else {
		open -= units
	}
	if open == 0 || left == 0 {
		return 0, 0
	}
	return open, left
}

// took notes a piece of a splittable bid.
func (b *bid) took(piece orderbook.Span) {
	i, _ := slices.BinarySearchFunc(b.taken, piece, func(x, y orderbook.Span) int { return int(x.From - y.From) })
	b.taken = slices.Insert(b.taken, i, piece)
}

// nextPiece is the length of the bid's next lease: of a splittable bid as much of
// what is left as its leases need on average, and never so that less than a
// least piece remains.
func (b *bid) nextPiece() corehour.Minutes {
	if b.MinPiece == 0 {
		return b.Duration
	}
	leases := corehour.Minutes(max(b.leasesLeft, 1))
	d := max(b.MinPiece, (b.left+leases-1)/leases)
	if b.left-d < b.MinPiece {
		return b.left
	}
	return d
}

// bidDeadline is the first instant at which no lease of the bid can start.
func bidDeadline(b *bid) corehour.Instant {
	return b.LatestEnd.Add(-b.nextPiece()).Instant() + 1
}

// closeBid takes a resting bid out of the book.
func (s *State) closeBid(b *bid, reason corehour.CloseReason) {
	if _, ok := s.bookOf(b.Product).CancelBid(b.ref); !ok {
		panic("exchange: open " + b.ID.String() + " is not in its book")
	}
	s.endBid(b, reason)
}

// endBid ends a bid that is in no book and gives back what it still holds.
func (s *State) endBid(b *bid, reason corehour.CloseReason) {
	released := b.hold
	b.hold = 0
	consumer := s.accountNamed[b.Consumer]
	consumer.release(released)
	consumer.bidding -= released
	s.unlistBid(b)
	if b.running > 0 {
		s.closed[b.ID] = b
	}
	if b.cover != nil {
		s.dropCover(b)
	}
	s.emit(corehour.EventBidClosed, b.ID.String(), corehour.BidClosed{
		Bid: b.ID, Consumer: b.Consumer, Reason: reason, Open: b.open, Left: b.left, Released: released,
	})
}

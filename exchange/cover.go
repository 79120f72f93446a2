package exchange

import (
	"cmp"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// Cover is a bid of the exchange for the hours that a lease does not deliver.
//
// The consumer never pays more per unit-hour than it would have paid for the lease:
// that price is the cover's limit and its hold. What of it can be had at that
// limit is taken first. For the rest the limit is raised by what the bond of the
// provider that failed can bear for all of it, at most by the rules' CoverExtra
// over the consumer's own limit; a lease that is dearer is paid into by the bond
// at its match, and what it does not use of that goes back. What is not to be had
// rests at the consumer's price, with the priority of the first bid. When the
// start it was for has passed, another bid takes its place for what is left.
//
// It never meets an organisation that has failed these hours before.

// cover is what a bid of the exchange is about, beyond its terms.
type cover struct {
	payer   corehour.AccountID // the provider that failed; none where a lease was interrupted with notice
	orgs    []corehour.OrgID   // that it must not meet
	own     corehour.Price     // the limit of the consumer's own bid
	arrival uint64             // of the consumer's own bid
	turn    uint16             // among the covers of one arrival; zero while it does not rest
	unseen  bool               // it came while its product did not trade
}

// coverStep is by how much later the next cover starts, where one has found
// nothing: long enough that something may come, short enough that little is lost.
const coverStep corehour.Minutes = 15

// coverRank is the place of a resting cover among all orders of its book: after
// the bid whose arrival it has, and before whatever came later.
type coverRank struct {
	arrival uint64
	turn    uint16
}

// turnBits leaves room for so many covers behind each arrival.
const turnBits = 10

// rankOf is what a book knows as the arrival of an order.
func rankOf(arrival uint64, turn uint16) uint64 { return arrival<<turnBits | uint64(turn) }

func (b *bid) rank() uint64 {
	if b.cover != nil {
		return rankOf(b.cover.arrival, b.cover.turn)
	}
	return rankOf(b.arrival, 0)
}

// coverLease bids for what is left of a lease that has ended before its time; terms
// is nil where it is not to be covered.
func (s *State) coverLease(l *lease, terms *bid) {
	if terms == nil || !s.rules.Cover {
		return
	}
	c := cover{payer: l.Provider, orgs: []corehour.OrgID{l.ProviderOrg}, own: terms.Limit, arrival: terms.arrival}
	if terms.cover != nil {
		c.own, c.arrival = terms.cover.own, terms.cover.arrival
		c.orgs = append(slices.Clone(terms.cover.orgs), l.ProviderOrg)
	}
	if l.status == corehour.StatusInterrupted {
		c.payer = ""
	}
	next := terms.Bid
	next.Units, next.Limit, next.CoverOf = l.Units, terms.consumerPrice(l), l.ID
	next.MinFill = min(next.MinFill, l.Units)
	if next.MinPiece > 0 { // a piece has all its units from one offer
		next.MinPiece, next.MinFill, next.MaxLeases = 0, l.Units, 1
	}
	next.Group, next.PostOnly, next.ClientID, next.Session = 0, false, "", ""
	next.TimeInForce, next.ExpiresAt = corehour.GoodTillCancelled, 0
	s.placeCover(next, c, max(l.Start, s.startable()), l.End)
}

// consumerPrice is what the consumer pays of a lease's price: all of it, or what
// the failed one before it cost, where a bond pays the rest.
func (b *bid) consumerPrice(l *lease) corehour.Price {
	if l.FromBond > 0 {
		return b.Limit
	}
	return l.Price
}

// placeCover bids for [from, to) with what a bond can pay, and lets rest what it
// does not get.
func (s *State) placeCover(next corehour.Bid, c cover, from, to corehour.Minute) {
	consumer := s.accountNamed[next.Consumer]
	if from >= to || len(s.bids) >= MaxOpenBids {
		return
	}
	next.EarliestStart, next.LatestEnd, next.Duration, next.PlacedAt = from, to, to.Sub(from), s.now
	hold := corehour.Cost(next.Limit, next.Units, next.Duration)
	if consumer.funds() < hold || consumer.halted != nil {
		return
	}
	s.lastBid++
	s.lastArrival++
	next.ID = s.lastBid
	b := &bid{Bid: next, arrival: s.lastArrival, open: next.Units, left: next.Duration, leasesLeft: next.MaxLeases, hold: hold, cover: &c}
	b.allOrNone = b.isAllOrNone()
	consumer.hold(hold)
	consumer.bidding += hold
	s.listBid(b)
	s.emit(corehour.EventBidPlaced, b.ID.String(), corehour.BidPlaced{Bid: b.Bid, Hold: hold})
	s.takeOrRest(b)
}

// takeOrRest lets a cover take what it may now, and rest with what it does not get.
// While its product does not trade it takes nothing, and looks when that resumes.
func (s *State) takeOrRest(b *bid) {
	if b.cover.unseen = s.haltOf(s.productNamed[b.Product]) != nil; !b.cover.unseen {
		s.takeCover(b, b.Limit, b.MaxCarbon)
		if s.bids[b.ID] == nil {
			return
		}
		if limit, carbon := s.bondLimit(b); limit > b.Limit {
			s.takeCover(b, limit, carbon)
		}
	}
	if s.bids[b.ID] != nil {
		s.restCover(b)
	}
}

// lookAgain lets the covers of a product that came while it did not trade take what
// they may, those of older bids first.
func (s *State) lookAgain(p *product) {
	var waiting []*bid
	for _, b := range s.covers {
		if b.cover.unseen && b.Product == p.ID {
			waiting = append(waiting, b)
		}
	}
	slices.SortFunc(waiting, func(x, y *bid) int { return cmp.Compare(x.rank(), y.rank()) })
	for _, b := range waiting {
		if s.bids[b.ID] == nil {
			continue // an offer that was shown before has met it
		}
		if _, ok := p.book.CancelBid(b.ref); !ok {
			panic("exchange: open " + b.ID.String() + " is not in its book")
		}
		s.dropCover(b)
		b.ref, b.cover.turn = 0, 0
		s.takeOrRest(b)
	}
}

// takeCover takes at once what is to be had at a limit and a carbon cap. The bid
// comes last here, so that it pays what the offers ask.
func (s *State) takeCover(b *bid, limit corehour.Price, carbon *corehour.CarbonRate) {
	entry := s.coverEntry(b)
	entry.Arrival, entry.Limit, entry.TimeInForce = rankOf(b.arrival, 0), limit, corehour.ImmediateOrCancel
	if carbon != nil {
		entry.MaxCarbon = *carbon
	}
	_, out := s.bookOf(b.Product).PlaceBid(s.startable(), &entry)
	s.fill(out, &Reply{})
}

func (s *State) coverEntry(b *bid) orderbook.Bid {
	entry, refusal := s.bookBid(b)
	if refusal.Rejected() {
		panic("exchange: what " + b.ID.String() + " names is gone: " + refusal.Message)
	}
	return entry
}

// bondLimit is the limit of a cover with what the bond can bear, and the carbon cap
// with which the consumer, who pays its own price and counts the carbon at its own
// carbon price, stays within its own limit. A nano-unit is set aside for the
// rounding of each lease.
func (s *State) bondLimit(b *bid) (corehour.Price, *corehour.CarbonRate) {
	payer := s.accountNamed[b.cover.payer]
	if payer == nil || payer.bond <= corehour.MaxLeasesPerBid {
		return b.Limit, nil
	}
	bond := payer.bond - corehour.MaxLeasesPerBid
	most := b.cover.own + corehour.Price(corehour.Money(b.cover.own).Share(s.rules.CoverExtra))
	limit := min(b.Limit+corehour.PriceWithin(bond, b.open, b.left), most.FloorToTick(), corehour.MaxPrice)
	if b.CarbonPrice == 0 {
		return limit, b.MaxCarbon
	}
	carbon := corehour.CarbonWithin(b.cover.own-b.Limit, b.CarbonPrice)
	if b.MaxCarbon != nil {
		carbon = min(carbon, *b.MaxCarbon)
	}
	return limit, &carbon
}

// extraCost is what a lease costs beyond what its bid pays for it.
func (b *bid) extraCost(leaseHold corehour.Money, units corehour.Units, d corehour.Minutes) corehour.Money {
	if b.cover == nil {
		return 0
	}
	return max(0, leaseHold-corehour.Cost(b.Limit, units, d))
}

// payFromBond lets the provider that failed pay what its cover costs more.
func (s *State) payFromBond(l *lease, b *bid, extra corehour.Money) {
	l.Payer, l.FromBond = b.cover.payer, extra
	payer := s.accountNamed[l.Payer]
	payer.bond -= extra
	payer.assertBond()
	s.accountNamed[l.Consumer].held += extra
}

// restCover lets a cover wait in its book, at the consumer's price and with the
// priority of the consumer's own bid.
func (s *State) restCover(b *bid) {
	rank := coverRank{arrival: b.cover.arrival, turn: 1}
	for s.covers[rank] != nil {
		rank.turn++
	}
	if rank.turn >= 1<<turnBits {
		s.endBid(b, corehour.CloseUnfilled)
		return
	}
	b.cover.turn = rank.turn
	s.listCover(b)
	b.ref = s.bookOf(b.Product).RestoreBid(s.coverEntry(b))
	s.schedule(bidDeadline(b), bidWindowPasses, uint64(b.ID))
}

func (s *State) listCover(b *bid) {
	s.covers[coverRank{b.cover.arrival, b.cover.turn}] = b
	if payer := s.accountNamed[b.cover.payer]; payer != nil {
		payer.owing++
	}
}

// dropCover forgets a cover that has closed, if it rested.
func (s *State) dropCover(b *bid) {
	if b.cover.turn > 0 {
		delete(s.covers, coverRank{b.cover.arrival, b.cover.turn})
		if payer := s.accountNamed[b.cover.payer]; payer != nil {
			payer.owing--
		}
	}
}

// coverLater bids for what is left of the hours of a cover whose start has passed.
func (s *State) coverLater(b *bid) {
	if b.cover == nil {
		return
	}
	c, next := *b.cover, b.Bid
	c.turn = 0
	next.Units, next.MinFill = b.open, min(next.MinFill, b.open)
	s.placeCover(next, c, max(b.EarliestStart.Add(coverStep), s.startable()), b.LatestEnd)
}

// shunned adds all accounts of organisations to those that a bid denies.
func (s *State) shunned(denied []orderbook.ProviderIndex, orgs []corehour.OrgID) []orderbook.ProviderIndex {
	denied = slices.Clone(denied)
	for _, org := range orgs {
		denied = append(denied, s.members[s.orgNamed[org]]...)
	}
	slices.Sort(denied)
	return slices.Compact(denied)
}

// reshun lets covers that rest know of a new account of an organisation that they
// must not meet. It has no offers yet, so nothing can match.
func (s *State) reshun(org corehour.OrgID) {
	var concerned []*bid
	for _, b := range s.covers {
		if slices.Contains(b.cover.orgs, org) {
			concerned = append(concerned, b)
		}
	}
	slices.SortFunc(concerned, func(x, y *bid) int { return int(x.ID) - int(y.ID) })
	for _, b := range concerned {
		book := s.bookOf(b.Product)
		if _, ok := book.CancelBid(b.ref); !ok {
			panic("exchange: open " + b.ID.String() + " is not in its book")
		}
		b.ref = book.RestoreBid(s.coverEntry(b))
	}
}

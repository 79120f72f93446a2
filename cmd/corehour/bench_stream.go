package main

import (
	"fmt"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// The mixed stream: what rests before it begins, and what one command in a
// hundred is.
const (
	benchOffers = 20_000
	benchBids   = 20_000

	shareResting      = 25 // bids below every offer
	shareFilling      = 25 // bids above every offer
	shareOffers       = 8
	shareCancelBids   = 22
	shareCancelOffers = 5
	shareAmendBids    = 6
	shareAmendOffers  = 2
	shareDeposits     = 5
	shareRepeats      = 2 // a bid that came before, under the same client id
)

// benchStep is the market time from one command of the stream to the next: leases
// end and windows pass on the way.
const benchStep = 20 * time.Millisecond

// benchEpoch is when the stream begins.
var benchEpoch = corehour.InstantOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// stream draws commands that depend on the answers to those before. It has a
// state of its own to get them from, so that the commands are the same for
// whoever carries them out afterwards.
type stream struct {
	market *benchMarket
	state  *exchange.State
	now    corehour.Instant
	bids   []openBid // those that rest, as far as the answers said
	offers []openOffer
	last   exchange.Command // the newest bid
}

type openBid struct {
	id       corehour.BidID
	consumer corehour.AccountID
	units    corehour.Units
}

type openOffer struct {
	id       corehour.OfferID
	provider corehour.AccountID
}

func newStream(market *benchMarket) *stream {
	return &stream{market: market, state: exchange.NewState(), now: benchEpoch}
}

// drawn is a command of the stream and the market's time.
type drawn struct {
	at       corehour.Instant
	command  exchange.Command
	prepared exchange.Prepared
}

// opening is what comes before the mix: the catalogue, the accounts, and orders
// that rest.
func (s *stream) opening(offers, bids int, take func(drawn) error) error {
	for _, c := range s.market.setup() {
		if err := s.carryOut(c, take); err != nil {
			return err
		}
	}
	for range offers {
		if err := s.carryOut(s.market.offer(s.now), take); err != nil {
			return err
		}
	}
	for range bids {
		if err := s.carryOut(s.market.restingBid(s.now), take); err != nil {
			return err
		}
	}
	return nil
}

// mix is so many commands in the shares above.
func (s *stream) mix(n int, take func(drawn) error) error {
	for range n {
		s.now += corehour.Instant(benchStep.Microseconds())
		if err := s.carryOut(s.draw(), take); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) carryOut(c exchange.Command, take func(drawn) error) error {
	prepared, err := exchange.Prepare(s.now, c)
	if err != nil {
		return err
	}
	reply, _ := s.state.Apply(prepared)
	s.note(c, &reply)
	return take(drawn{at: s.now, command: c, prepared: prepared})
}

// draw is the next command. Where there is no order to change, it is one of those
// after it.
func (s *stream) draw() exchange.Command {
	m, n := s.market, s.market.random.IntN(100)
	in := func(share int) bool { n -= share; return n < 0 }
	switch {
	case in(shareResting):
		return m.restingBid(s.now)
	case in(shareFilling):
		return m.fillingBid(s.now)
	case in(shareOffers):
		return m.offer(s.now)
	case in(shareCancelBids) && len(s.bids) > 0:
		b := anyOf(m, &s.bids, true)
		return exchange.CancelBid{Consumer: b.consumer, Bid: b.id}
	case in(shareCancelOffers) && len(s.offers) > 0:
		o := anyOf(m, &s.offers, true)
		return exchange.CancelOffer{Provider: o.provider, Offer: o.id}
	case in(shareAmendBids) && len(s.bids) > 0:
		return s.amendedBid()
	case in(shareAmendOffers) && len(s.offers) > 0:
		o, price := anyOf(m, &s.offers, false), m.price(offerFrom, offerTo)
		return exchange.AmendOffer{Provider: o.provider, Offer: o.id, Price: &price}
	case in(shareDeposits):
		m.orders++
		return exchange.Deposit{Account: m.consumer(), Amount: corehour.NanoPerUnit, Reference: fmt.Sprintf("wire-%d", m.orders)}
	case in(shareRepeats) && s.last != nil:
		return s.last
	}
	return m.offer(s.now)
}

// amendedBid is another limit for a resting bid or, half of the time, one unit less.
func (s *stream) amendedBid() exchange.AmendBid {
	b := anyOf(s.market, &s.bids, false)
	if s.market.oneIn(2) && b.units > 1 {
		fewer := b.units - 1
		return exchange.AmendBid{Consumer: b.consumer, Bid: b.id, Units: &fewer}
	}
	limit := s.market.price(restFrom, restTo)
	return exchange.AmendBid{Consumer: b.consumer, Bid: b.id, Limit: &limit}
}

// anyOf is one of a list by chance, taken out of it if asked to.
func anyOf[T any](m *benchMarket, list *[]T, out bool) T {
	all := *list
	i := m.random.IntN(len(all))
	picked := all[i]
	if out {
		all[i] = all[len(all)-1]
		*list = all[:len(all)-1]
	}
	return picked
}

// note remembers which orders rest.
func (s *stream) note(c exchange.Command, reply *exchange.Reply) {
	if reply.Rejected() || reply.Repeat {
		return
	}
	switch c := c.(type) {
	case exchange.PlaceBid:
		s.last = c
		if reply.Closed == "" {
			s.bids = append(s.bids, openBid{id: reply.Bid, consumer: c.Consumer, units: c.Units})
		}
	case exchange.PlaceOffer:
		if reply.Closed == "" {
			s.offers = append(s.offers, openOffer{id: reply.Offer, provider: c.Provider})
		}
	}
}

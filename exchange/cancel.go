package exchange

import (
	"container/list"

	"github.com/corehour/corehour"
)

func (s *State) cancelBid(c CancelBid) Reply {
	switch {
	case c.ClientID == "":
		return s.cancelOneBid(c.Consumer, c.Bid)
	case c.Bid != 0:
		return reject(CodeExclusive, "client_id", "a bid is named by its id or by its client id")
	}
	placed := s.placedAs(keptKey{c.Consumer, KindPlaceBid, c.ClientID})
	if placed.Members == nil {
		return s.cancelOneBid(c.Consumer, placed.Bid)
	}
	reply := Reply{Bid: placed.Bid}
	for _, m := range placed.Members {
		if s.bids[m.Bid] != nil {
			reply.Members = append(reply.Members, s.cancelOneBid(c.Consumer, m.Bid))
		}
	}
	if reply.Members == nil {
		return unknownBid()
	}
	reply.Closed = corehour.CloseCancelled
	return reply
}

func (s *State) cancelOneBid(consumer corehour.AccountID, id corehour.BidID) Reply {
	b := s.bids[id]
	if b == nil || b.Consumer != consumer {
		return unknownBid()
	}
	s.closeBid(b, corehour.CloseCancelled)
	return Reply{Bid: b.ID, Closed: corehour.CloseCancelled}
}

func unknownBid() Reply { return reject(CodeUnknownBid, "bid", "there is no such open bid") }

func unknownOffer() Reply { return reject(CodeUnknownOffer, "offer", "there is no such open offer") }

func (s *State) cancelOffer(c CancelOffer) Reply {
	id := c.Offer
	switch {
	case c.ClientID != "" && id != 0:
		return reject(CodeExclusive, "client_id", "an offer is named by its id or by its client id")
	case c.ClientID != "":
		id = s.placedAs(keptKey{c.Provider, KindPlaceOffer, c.ClientID}).Offer
	}
	o := s.offers[id]
	if o == nil || o.Provider != c.Provider {
		return unknownOffer()
	}
	s.closeOffer(o, corehour.CloseCancelled)
	return Reply{Offer: o.ID, Closed: corehour.CloseCancelled}
}

// placedAs is the answer that the command of a client id got; it is empty where
// there was none.
func (s *State) placedAs(key keptKey) Reply {
	kept, ok := s.kept[key]
	if !ok {
		return Reply{}
	}
	return kept.decode()
}

// cancelAll closes an account's open orders in the order of their ids.
func (s *State) cancelAll(c CancelAll) Reply {
	a := s.accountNamed[c.Account]
	switch {
	case a == nil:
		return reject(CodeUnknownAccount, "account", "there is no such account")
	case c.Product != "" && s.productNamed[c.Product] == nil:
		return reject(CodeUnknownProduct, "product", "there is no such product")
	}
	var reply Reply
	s.takeBackBids(&a.bids, c.Product, corehour.CloseCancelled, &reply)
	s.takeBackOffers(&a.offers, c.Product, corehour.CloseCancelled, &reply)
	return reply
}

// takeBackBids closes the bids of a list, of one product or of all, until the reply
// counts MaxCancelled orders.
func (s *State) takeBackBids(of *list.List, product corehour.ProductID, why corehour.CloseReason, reply *Reply) {
	for e := of.Front(); e != nil && !reply.More; {
		b := e.Value.(*bid)
		e = e.Next() // before the list forgets it
		if (product == "" || b.Product == product) && reply.mayCancel() {
			s.closeBid(b, why)
		}
	}
}

// takeBackOffers is takeBackBids for offers.
func (s *State) takeBackOffers(of *list.List, product corehour.ProductID, why corehour.CloseReason, reply *Reply) {
	for e := of.Front(); e != nil && !reply.More; {
		o := e.Value.(*offer)
		e = e.Next()
		if (product == "" || o.Product == product) && reply.mayCancel() {
			s.closeOffer(o, why)
		}
	}
}

// mayCancel counts an order that is to be closed, or notes that it is one too many.
func (r *Reply) mayCancel() bool {
	if r.Cancelled == MaxCancelled {
		r.More = true
		return false
	}
	r.Cancelled++
	return true
}

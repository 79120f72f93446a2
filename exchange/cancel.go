package exchange

import "github.com/corehour/corehour"

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
	for e := a.bids.Front(); e != nil; {
		b := e.Value.(*bid)
		e = e.Next() // before the list forgets it
		if c.Product != "" && b.Product != c.Product {
			continue
		}
		if reply.Cancelled == MaxCancelled {
			reply.More = true
			return reply
		}
		s.closeBid(b, corehour.CloseCancelled)
		reply.Cancelled++
	}
	for e := a.offers.Front(); e != nil; {
		o := e.Value.(*offer)
		e = e.Next()
		if c.Product != "" && o.Product != c.Product {
			continue
		}
		if reply.Cancelled == MaxCancelled {
			reply.More = true
			return reply
		}
		s.closeOffer(o, corehour.CloseCancelled)
		reply.Cancelled++
	}
	return reply
}

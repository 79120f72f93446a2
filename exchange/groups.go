package exchange

import (
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// member is a bid of a group that is checked and not placed yet.
type member struct {
	bid   *bid
	entry orderbook.Bid
	hold  corehour.Money
}

// placeBidGroup places bids of which the first that fills completely closes the
// others. Nothing happens unless all of them are valid and paid for.
func (s *State) placeBidGroup(c PlaceBidGroup) Reply {
	members, refusal := s.checkGroup(c)
	if refusal.Rejected() {
		return refusal
	}
	consumer := s.accountNamed[c.Consumer]
	limits := s.limitsOf(consumer)
	if limits != nil {
		if refusal := s.groupWithin(limits, consumer, members); refusal.Rejected() {
			return refusal
		}
	}
	reply := s.enterGroup(members)
	if !reply.Rejected() {
		s.counted(limits, consumer)
	}
	return reply
}

// groupWithin holds a group against the limits of its account: each bid as if it
// came alone, and all of them together as what may be in the book.
func (s *State) groupWithin(l *corehour.Limits, consumer *account, members []member) Reply {
	var all request
	for i, m := range members {
		if refusal := s.bidWithin(l, &m.bid.Bid); refusal.Rejected() {
			refusal.Field = fmt.Sprintf("bids[%d].%s", i, refusal.Field)
			return refusal
		}
		all.orders += m.bid.wouldRest()
		all.hold += m.hold
	}
	return s.withinLimits(l, consumer, all)
}

// enterGroup places checked members until one fills.
func (s *State) enterGroup(members []member) Reply {
	reply := Reply{Members: make([]Reply, len(members))}
	filled := false
	for i, m := range members {
		if filled {
			reply.Members[i].Closed = corehour.CloseSiblingFilled
			continue
		}
		if m.bid.Group = reply.Bid; reply.Bid == 0 {
			m.bid.Group = s.lastBid + 1
		}
		reply.Members[i] = s.enter(m.bid, m.entry, m.hold)
		if !reply.Members[i].Rejected() {
			reply.Bid = m.bid.Group
			filled = m.bid.open == 0
		}
	}
	if reply.Bid == 0 {
		reply.Code, reply.Field, reply.Message = CodeWouldTrade, "post_only", "each bid of the group would trade at once"
		return reply
	}
	for i, m := range members { // a member that rested may have been closed by a later one
		r := &reply.Members[i]
		if r.Bid != 0 && r.Closed == "" && s.bids[r.Bid] == nil {
			r.Closed, r.Open, r.Left, r.Hold = corehour.CloseSiblingFilled, 0, 0, m.bid.leaseHolds
		}
	}
	return reply
}

// checkGroup checks each bid as if it came alone, and the funds for all together.
func (s *State) checkGroup(c PlaceBidGroup) ([]member, Reply) {
	consumer := s.accountNamed[c.Consumer]
	switch {
	case consumer == nil:
		return nil, reject(CodeUnknownAccount, "consumer", "there is no such account")
	case c.ClientID != "" && !corehour.ValidName(c.ClientID):
		return nil, badName("client_id")
	case len(c.Bids) < 2 || len(c.Bids) > MaxGroup:
		return nil, reject(CodeOutOfRange, "bids", "a group has 2 to 16 bids")
	case len(s.bids)+len(c.Bids) > MaxOpenBids:
		return nil, noRoomForBids()
	}
	if refusal := consumer.places(); refusal.Rejected() {
		return nil, refusal
	}
	if _, refusal := consumer.sessionFor(c.Session, len(c.Bids)); refusal.Rejected() {
		return nil, refusal
	}
	members := make([]member, len(c.Bids))
	funds := consumer.funds()
	for i, terms := range c.Bids {
		var m member
		refusal := ofGroup(c, &terms)
		if !refusal.Rejected() {
			m.bid, m.entry, refusal = s.newBid(terms)
		}
		if !refusal.Rejected() {
			m.hold, refusal = worstCase(&m.bid.Bid, m.bid.open, m.bid.left, funds)
		}
		if refusal.Rejected() {
			if refusal.Field != "" {
				refusal.Field = fmt.Sprintf("bids[%d].%s", i, refusal.Field)
			}
			return nil, refusal
		}
		funds -= m.hold
		members[i] = m
	}
	return members, Reply{}
}

// ofGroup gives a member what it has from its group.
func ofGroup(c PlaceBidGroup, terms *PlaceBid) Reply {
	switch {
	case terms.Consumer != "" && terms.Consumer != c.Consumer:
		return reject(CodeOutOfRange, "consumer", "the bids of a group have one consumer")
	case terms.ClientID != "":
		return reject(CodeExclusive, "client_id", "a group has one client id for all its bids")
	case terms.Session != "":
		return reject(CodeExclusive, "session", "a group has one session for all its bids")
	}
	terms.Consumer, terms.ClientID, terms.Session = c.Consumer, c.ClientID, c.Session
	return Reply{}
}

// closeSiblings ends the resting bids of a filled bid's group. Those of its own
// product have left the book already, before it matched anything else; books of
// other products are told here.
func (s *State) closeSiblings(filled *bid, dropped []corehour.BidID) {
	if filled.Group == 0 {
		return
	}
	for id := filled.Group; id < filled.Group+MaxGroup; id++ {
		sibling := s.bids[id]
		if sibling == nil || sibling.Group != filled.Group {
			continue
		}
		switch {
		case sibling.Product != filled.Product:
			s.closeBid(sibling, corehour.CloseSiblingFilled)
		case slices.Contains(dropped, id):
			s.endBid(sibling, corehour.CloseSiblingFilled)
		default:
			panic("exchange: the book kept " + id.String() + " though its sibling is filled")
		}
	}
}

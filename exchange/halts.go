package exchange

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// haltAt is where the halt of a scope is kept, and the account that it is about if
// it is one's.
func (s *State) haltAt(scope corehour.HaltScope, name string) (place **corehour.Halt, of *account, refusal Reply) {
	switch scope {
	case corehour.HaltExchange:
		if name != "" {
			return nil, nil, reject(CodeOutOfRange, "name", "the exchange as a whole has no name")
		}
		return &s.halted, nil, Reply{}
	case corehour.HaltProduct:
		p := s.productNamed[corehour.ProductID(name)]
		if p == nil {
			return nil, nil, reject(CodeUnknownProduct, "name", "there is no such product")
		}
		return &p.halted, nil, Reply{}
	case corehour.HaltAccount, corehour.HaltProvider:
		a := s.accountNamed[corehour.AccountID(name)]
		if a == nil {
			return nil, nil, reject(CodeUnknownAccount, "name", "there is no such account")
		}
		if scope == corehour.HaltAccount {
			return &a.halted, a, Reply{}
		}
		return &a.unsold, a, Reply{}
	}
	return nil, nil, reject(CodeOutOfRange, "scope", "a scope is exchange, product, account or provider")
}

// checkAsker lets the operator halt and resume anything, and an account itself.
func checkAsker(by corehour.AccountID, operator bool, of *account, reason string) Reply {
	switch {
	case !corehour.ValidName(by):
		return badName("by")
	case badText(reason):
		return reject(CodeOutOfRange, "reason", "a reason has at most 256 bytes of UTF-8")
	case !operator && (of == nil || of.id != by):
		return reject(CodeNotYours, "scope", "only the operator halts and resumes what is not an account's own")
	}
	return Reply{}
}

func subjectOf(scope corehour.HaltScope, name string) string {
	if name == "" {
		return string(scope)
	}
	return string(scope) + "/" + name
}

// haltTrading is the kill switch. A halt by the operator takes the place of one
// that an account made itself, so that the account cannot end it.
func (s *State) haltTrading(c Halt) Reply {
	place, of, refusal := s.haltAt(c.Scope, c.Name)
	if !refusal.Rejected() {
		refusal = checkAsker(c.By, c.Operator, of, c.Reason)
	}
	if refusal.Rejected() {
		return refusal
	}
	reply := Reply{Repeat: true}
	if old := *place; old == nil || c.Operator && !old.Operator {
		reply.Repeat = false
		*place = &corehour.Halt{Scope: c.Scope, Name: c.Name, Reason: c.Reason, By: c.By, Operator: c.Operator, At: s.now}
		s.emit(corehour.EventTradingHalted, subjectOf(c.Scope, c.Name), **place)
		if c.Scope == corehour.HaltProvider && old == nil {
			for e := of.offers.Front(); e != nil; e = e.Next() {
				o := e.Value.(*offer)
				s.bookOf(o.Product).Suspend(o.ref)
			}
		}
	}
	if c.CancelOrders {
		s.takeBackHalted(c, of, &reply)
	}
	return reply
}

// takeBackHalted closes the orders of a halt's scope, account by account in the
// order in which they were opened.
func (s *State) takeBackHalted(c Halt, of *account, reply *Reply) {
	if c.Scope == corehour.HaltProvider {
		s.takeBackOffers(&of.offers, "", corehour.CloseHalted, reply)
		return
	}
	accounts, product := s.accounts, corehour.ProductID("")
	if of != nil {
		accounts = []*account{of}
	}
	if c.Scope == corehour.HaltProduct {
		product = corehour.ProductID(c.Name)
	}
	for _, a := range accounts {
		s.takeBackBids(&a.bids, product, corehour.CloseHalted, reply)
		s.takeBackOffers(&a.offers, product, corehour.CloseHalted, reply)
		if reply.More {
			return
		}
	}
}

// resumeTrading ends a halt. While the exchange is halted its products stay so,
// and the other way round.
func (s *State) resumeTrading(c Resume) Reply {
	place, of, refusal := s.haltAt(c.Scope, c.Name)
	if !refusal.Rejected() {
		refusal = checkAsker(c.By, c.Operator, of, c.Reason)
	}
	switch {
	case refusal.Rejected():
		return refusal
	case *place == nil:
		return Reply{Repeat: true}
	case (*place).Operator && !c.Operator:
		return reject(CodeNotYours, "scope", "the operator has halted this, and only the operator resumes it")
	}
	*place = nil
	s.emit(corehour.EventTradingResumed, subjectOf(c.Scope, c.Name), corehour.TradingResumed{Halt: corehour.Halt{
		Scope: c.Scope, Name: c.Name, Reason: c.Reason, By: c.By, Operator: c.Operator, At: s.now,
	}})
	var reply Reply
	switch c.Scope {
	case corehour.HaltProvider:
		s.readmit(of, &reply)
	case corehour.HaltProduct:
		s.reopen(s.productNamed[corehour.ProductID(c.Name)], &reply)
	case corehour.HaltExchange:
		for _, p := range s.products {
			s.reopen(p, &reply)
		}
	}
	return reply
}

// haltOf is the halt that keeps a product from trading, nil where it trades.
func (s *State) haltOf(p *product) *corehour.Halt {
	if s.halted != nil {
		return s.halted
	}
	return p.halted
}

// refuseHalted is the rejection of orders while a halt is in force.
func refuseHalted(h *corehour.Halt, code corehour.Code, what string) Reply {
	if h == nil {
		return Reply{}
	}
	message := fmt.Sprintf("%s since %s", what, h.At)
	if h.Reason != "" {
		message += ": " + h.Reason
	}
	return reject(code, "", message)
}

// trades refuses orders of a product that does not trade.
func (s *State) trades(p *product) Reply {
	return refuseHalted(s.haltOf(p), CodeTradingHalted, "trading is halted")
}

// places refuses more of an account that is halted.
func (a *account) places() Reply {
	return refuseHalted(a.halted, CodeAccountHalted, "the account is halted")
}

// sells refuses more offers of a provider that is halted.
func (a *account) sells() Reply {
	if refusal := a.places(); refusal.Rejected() {
		return refusal
	}
	return refuseHalted(a.unsold, CodeProviderHalted, "the provider is halted")
}

// free gives units of a lease back to its offer. Resting bids may have them at
// once, or when trading resumes.
func (s *State) free(l *lease, from corehour.Minute, reply *Reply) {
	o := s.offers[l.Offer]
	if o == nil || from >= l.End {
		return
	}
	p := s.productNamed[l.Product]
	if s.haltOf(p) == nil {
		s.fill(p.book.Release(s.startable(), o.ref, l.Units, from, l.End), reply)
		return
	}
	p.book.GiveBack(s.startable(), o.ref, l.Units, from, l.End)
	o.unseen = true
}

// byArrival lists offers in the order in which they came.
func byArrival(offers []*offer) []*offer {
	slices.SortFunc(offers, func(a, b *offer) int { return cmp.Compare(a.arrival, b.arrival) })
	return offers
}

// readmit puts a provider's offers up for sale again and shows them to the resting
// bids, the one that came first before the others.
func (s *State) readmit(a *account, reply *Reply) {
	offers := make([]*offer, 0, a.offers.Len())
	for e := a.offers.Front(); e != nil; e = e.Next() {
		o := e.Value.(*offer)
		s.bookOf(o.Product).Readmit(o.ref)
		offers = append(offers, o)
	}
	for _, o := range byArrival(offers) {
		p := s.productNamed[o.Product]
		if o.unseen = s.haltOf(p) != nil; !o.unseen {
			s.fill(p.book.Offer(s.startable(), o.ref), reply)
		}
	}
}

// reopen lets a product trade again, where no other halt keeps it from that. What
// came free meanwhile goes to the bids that pay most for it, as when it comes free
// at any other time; after a grid that got cleaner the bids come in their order.
func (s *State) reopen(p *product, reply *Reply) {
	if s.haltOf(p) != nil {
		return
	}
	var offers []*offer
	for _, a := range s.accounts {
		for e := a.offers.Front(); e != nil; e = e.Next() {
			if o := e.Value.(*offer); o.unseen && o.Product == p.ID {
				offers = append(offers, o)
			}
		}
	}
	for _, o := range byArrival(offers) {
		o.unseen = false
		s.fill(p.book.Offer(s.startable(), o.ref), reply)
	}
	s.lookAgain(p)
	if p.cleaner {
		p.cleaner = false
		s.fill(p.book.Reconsider(s.startable(), orderbook.NoZone, s.startable(), corehour.MaxMinute), reply)
	}
}

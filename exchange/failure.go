package exchange

import "github.com/corehour/corehour"

func (s *State) failLease(c FailLease) Reply {
	l, reply := s.delivered(c.Provider, c.Lease)
	switch {
	case l == nil:
		return reply
	case l.status == corehour.StatusFailed && l.cause == corehour.CauseByProvider:
		reply.Repeat = true
		return reply
	case l.status.Over():
		return l.wrongStatus()
	}
	s.fail(l, corehour.CauseByProvider)
	return reply
}

// fail ends a lease that does not deliver what it promised. What was delivered can
// still be charged; what the rest would have cost is given back at once, because
// the hours that are left may be bid for again with it. The provider's bond pays
// the credit of the tier, and then what cover costs more. The units leave the
// offer: capacity that has just failed is not sold to the next bid.
func (s *State) fail(l *lease, cause corehour.EndCause) {
	terms, undelivered := l.bid, l.undelivered(s.now)
	l.cause = cause
	s.endEarly(l, corehour.StatusFailed)
	s.creditUndelivered(l, undelivered)
	s.coverLease(l, terms)
}

// endEarly ends a lease now, gives back what it cannot cost any more, and keeps its
// units out of the market.
func (s *State) endEarly(l *lease, status corehour.LeaseStatus) {
	kept := max(l.charged, corehour.Cost(l.Price, l.Units, l.deliveredBy(s.now)))
	s.giveBack(l, l.Hold-kept)
	s.end(l, status, s.now)
	s.withdraw(l)
}

// deliveredBy is how long a lease has delivered by an instant, in begun minutes.
func (l *lease) deliveredBy(at corehour.Instant) corehour.Minutes {
	if !l.started {
		return 0
	}
	return min(at.CeilMinute(), l.End).Sub(l.Start)
}

// undelivered is the price of what a lease does not deliver if it ends at an
// instant.
func (l *lease) undelivered(at corehour.Instant) corehour.Money {
	whole := l.End.Sub(l.Start)
	return corehour.Cost(l.Price, l.Units, whole-l.deliveredBy(at))
}

// unspent is what a lease still holds.
func (l *lease) unspent() corehour.Money { return l.Hold - l.released - l.charged }

// giveBack releases part of what a lease holds: to the consumer, and to the bond
// that paid into the hold in the proportion in which it did, rounded down.
func (s *State) giveBack(l *lease, amount corehour.Money) (released, returned corehour.Money) {
	if fromBond := l.FromBond - l.returned; fromBond > 0 {
		returned = amount.Portion(fromBond, l.Hold-l.released)
	}
	l.released += amount
	l.returned += returned
	consumer := s.accountNamed[l.Consumer]
	consumer.release(amount)
	if returned > 0 {
		consumer.available -= returned
		s.accountNamed[l.Payer].bond += returned
	}
	return amount - returned, returned
}

// payerOf is who had paid what goes back to a bond.
func (l *lease) payerOf(returned corehour.Money) corehour.AccountID {
	if returned == 0 {
		return ""
	}
	return l.Payer
}

// creditUndelivered pays the consumer a share of the price of hours that a failed
// lease did not deliver, out of the provider's bond and at most all of it.
func (s *State) creditUndelivered(l *lease, undelivered corehour.Money) {
	share := s.rules.Credit(l.SLA)
	provider := s.accountNamed[l.Provider]
	amount := min(undelivered.Share(share), provider.bond)
	if amount == 0 {
		return
	}
	provider.bond -= amount
	s.accountNamed[l.Consumer].available += amount
	l.credited += amount
	s.emit(corehour.EventSLACredited, l.ID.String(), corehour.SLACredited{
		Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer, Undelivered: undelivered, Share: share, Amount: amount,
	})
}

// withdrawal is units of an offer that a lease has been cut off from.
type withdrawal struct {
	Units corehour.Units  `cbor:"1,keyasint,omitempty"`
	From  corehour.Minute `cbor:"2,keyasint,omitempty"`
	To    corehour.Minute `cbor:"3,keyasint,omitempty"`
}

// withdraw leaves the units of a lease taken out of its offer, where they are, for
// the rest of the planned time, and forgets what is over of earlier ones.
func (s *State) withdraw(l *lease) {
	o, from := s.offers[l.Offer], max(l.Start, s.startable())
	if o == nil || from >= l.End {
		return
	}
	kept := o.withdrawn[:0]
	for _, w := range o.withdrawn {
		if w.To > s.startable() {
			kept = append(kept, w)
		}
	}
	o.withdrawn = append(kept, withdrawal{Units: l.Units, From: from, To: l.End})
}

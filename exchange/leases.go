package exchange

import (
	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// fill makes a lease of each match. Every bid among them is one that the state
// holds: the incoming one or one that rested.
func (s *State) fill(out orderbook.Outcome, reply *Reply) {
	for i, f := range out.Fills {
		b, o := s.bids[f.Bid], s.offers[f.Offer]
		if b == nil || o == nil {
			panic("exchange: the book filled an order that is not open")
		}
		due := bidDeadline(b)
		l := s.match(b, o, f)
		if i == len(out.Fills)-1 {
			s.productNamed[b.Product].lastPrice = f.Price
		}
		reply.Fills = append(reply.Fills, Fill{
			Lease: l.ID, Bid: b.ID, Offer: o.ID, Provider: o.Provider, Region: o.Region,
			Units: f.Units, Start: f.Start, End: f.End, Price: f.Price, Carbon: f.Carbon,
		})
		switch {
		case b.open == 0:
			s.endBid(b, corehour.CloseFilled)
			s.closeSiblings(b, out.Dropped)
		case b.leasesLeft == 0:
			s.endBid(b, corehour.CloseMaxLeases)
		case b.ref != 0 && bidDeadline(b) != due:
			s.schedule(bidDeadline(b), bidWindowPasses, uint64(b.ID))
		}
	}
	for _, id := range out.Dropped {
		if s.bids[id] != nil {
			panic("exchange: the book dropped a bid whose siblings are not filled: " + id.String())
		}
	}
}

// match moves what the lease may cost from the bid's hold to the lease's. The
// bid's hold falls by at least that much, because a lease never costs more than
// the limit and Cost is superadditive; what is left over is available again.
func (s *State) match(b *bid, o *offer, f orderbook.Fill) *lease {
	s.lastLease++
	leaseHold := corehour.Cost(f.Price, f.Units, f.End.Sub(f.Start))
	b.open, b.left = b.after(b.open, b.left, f.Units, f.End.Sub(f.Start))
	b.leasesLeft--
	if b.MinPiece > 0 {
		b.took(orderbook.Span{From: f.Start, To: f.End})
	}
	stillHeld := corehour.Cost(b.Limit, b.open, b.left)
	extra := b.extraCost(leaseHold, f.Units, f.End.Sub(f.Start))
	released := b.hold + extra - stillHeld - leaseHold
	if b.open < 0 || b.left < 0 || released < 0 {
		panic("exchange: a fill is larger or dearer than its bid " + b.ID.String())
	}
	b.hold = stillHeld
	b.leaseHolds += leaseHold
	consumer := s.accountNamed[b.Consumer]
	consumer.bidding -= released + leaseHold - extra
	consumer.spends(s.now, leaseHold-extra)
	l := &lease{status: corehour.StatusMatched, Lease: corehour.Lease{
		ID: s.lastLease, Product: b.Product, Bid: b.ID, Offer: o.ID, Consumer: b.Consumer, ConsumerOrg: b.Org,
		Provider: o.Provider, ProviderOrg: o.Org, Region: o.Region, Units: f.Units, Start: f.Start, End: f.End,
		Price: f.Price, Carbon: f.Carbon, SLA: o.SLA, Interruptible: o.Interruptible, TakeOrPay: o.TakeOrPay,
		Fee: s.fee, Hold: leaseHold, MatchedAt: s.now, CoverOf: b.CoverOf,
	}}
	if extra > 0 {
		s.payFromBond(l, b, extra)
	}
	consumer.release(released)
	s.leases[l.ID] = l
	o.owner.running += leaseHold
	s.schedule(l.End.Instant(), leaseEnds, uint64(l.ID))
	if s.rulesSet {
		s.oversee(l, b)
	}
	s.emit(corehour.EventLeaseMatched, l.ID.String(), corehour.LeaseMatched{Lease: l.Lease, BidOpen: b.open, BidLeft: b.left, Released: released})
	return l
}

func (s *State) delivered(provider corehour.AccountID, id corehour.LeaseID) (*lease, Reply) {
	l := s.leases[id]
	if l == nil || l.Provider != provider {
		return nil, reject(CodeUnknownLease, "lease", "there is no such running lease")
	}
	return l, Reply{Lease: id}
}

func (l *lease) wrongStatus() Reply {
	return reject(CodeWrongStatus, "lease", "the lease is "+string(l.status))
}

func (l *lease) changed() corehour.LeaseChanged {
	return corehour.LeaseChanged{Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer}
}

func (s *State) acceptLease(c AcceptLease) Reply {
	l, reply := s.delivered(c.Provider, c.Lease)
	switch {
	case l == nil:
		return reply
	case l.status == corehour.StatusProvisioning:
		reply.Repeat = true
		return reply
	case l.status != corehour.StatusMatched:
		return l.wrongStatus()
	}
	l.status, l.acceptedAt = corehour.StatusProvisioning, s.now
	s.awaitStart(l)
	s.emit(corehour.EventLeaseAccepted, l.ID.String(), l.changed())
	return reply
}

func (s *State) startLease(c StartLease) Reply {
	l, reply := s.delivered(c.Provider, c.Lease)
	switch {
	case l == nil:
		return reply
	case l.status == corehour.StatusActive:
		reply.Repeat = true
		return reply
	case l.status != corehour.StatusProvisioning:
		return l.wrongStatus()
	case s.now < l.Start.Instant():
		return reject(CodeWrongStatus, "lease", "the lease starts at "+l.Start.String())
	}
	l.status, l.started, l.due, l.startedAt = corehour.StatusActive, true, 0, s.now
	s.emit(corehour.EventLeaseStarted, l.ID.String(), l.changed())
	if s.rules.SuspectAfter > 0 {
		s.watch(l)
	}
	return reply
}

// endLease ends delivery before its time. The consumer can only end it now; the
// provider may say that it has ended before, because it is the one who knows.
func (s *State) endLease(c EndLease) Reply {
	l := s.leases[c.Lease]
	if l == nil || l.Provider != c.Account && l.Consumer != c.Account {
		return reject(CodeUnknownLease, "lease", "there is no such running lease")
	}
	endedAt := c.EndedAt
	if endedAt == 0 {
		endedAt = s.now
	}
	switch {
	case l.status != corehour.StatusActive:
		return l.wrongStatus()
	case c.EndedAt != 0 && c.Account != l.Provider:
		return reject(CodeOutOfRange, "ended_at", "only the provider may name a time, a consumer ends a lease now")
	case endedAt < l.Start.Instant() || endedAt > s.now:
		return reject(CodeOutOfRange, "ended_at", "a lease ends after it started and not in the future")
	}
	s.end(l, corehour.StatusCompleted, endedAt)
	reply := Reply{Lease: l.ID}
	s.free(l, max(endedAt.CeilMinute(), s.startable()), &reply)
	return reply
}

// leaseReachedItsEnd completes a lease whose time is over. One that its provider
// never started was not delivered: it has failed, and nothing is owed for it. Its
// hold stays until the settlement, because there is nothing left to bid for.
func (s *State) leaseReachedItsEnd(id corehour.LeaseID) {
	l := s.leases[id]
	if l == nil {
		return
	}
	switch l.status {
	case corehour.StatusActive:
		s.end(l, corehour.StatusCompleted, l.End.Instant())
	case corehour.StatusMatched, corehour.StatusProvisioning:
		l.cause = corehour.CauseNotStarted
		s.end(l, corehour.StatusFailed, l.End.Instant())
		s.creditUndelivered(l, l.undelivered(s.now))
	}
}

// end ends delivery. What l has been given back by then is in the event.
func (s *State) end(l *lease, status corehour.LeaseStatus, at corehour.Instant) {
	l.status, l.endedAt = status, at
	s.accountNamed[l.Provider].running -= l.Hold
	s.emit(corehour.EventLeaseEnded, l.ID.String(), corehour.LeaseEnded{
		Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer, Status: status, EndedAt: at, FreeFrom: at.CeilMinute(),
		Cause: l.cause, Released: l.released - l.returned, Returned: l.returned, Payer: l.payerOf(l.returned),
	})
	s.dismiss(l)
}

// billable finds a lease that charges may still be posted for. One that is
// settled has left the state; a repeat for it is told so.
func (s *State) billable(id corehour.LeaseID) (*lease, Reply) {
	if l := s.leases[id]; l != nil {
		return l, Reply{Lease: id}
	}
	if id >= 1 && id <= s.lastLease {
		return nil, reject(CodeClosed, "lease", "the lease is settled")
	}
	return nil, reject(CodeUnknownLease, "lease", "there is no such lease")
}

// postCharge pays the provider out of the lease's hold. The fee of a lease is
// its share of all that was charged so far, rounded down once, so that it does
// not depend on how the charges were cut. What is asked beyond the hold that a
// failed or interrupted lease was left with is for time that was not delivered: it
// is posted as a charge without that part.
func (s *State) postCharge(c PostCharge) Reply {
	l, reply := s.billable(c.Lease)
	if l == nil {
		return reply
	}
	posted := int64(len(l.charges))
	switch {
	case c.Number >= 1 && c.Number <= posted && l.charges[c.Number-1].asked(c):
		reply.Repeat = true
		return reply
	case c.Number >= 1 && c.Number <= posted:
		return reject(CodeKeyReused, "number", "a charge of this number was posted with other content")
	case c.Number != posted+1:
		return reject(CodeChargeGap, "number", "charges of a lease are numbered without gaps")
	case posted >= MaxChargesPerLease:
		return reject(CodeTooMany, "number", "a lease has at most 100000 charges")
	case c.Kind != corehour.ChargeUsage && c.Kind != corehour.ChargeTakeOrPay:
		return reject(CodeOutOfRange, "kind", "a charge is for usage or take_or_pay")
	case !l.started:
		return l.wrongStatus()
	case c.Amount <= 0 || c.Hour < l.Start || c.Hour >= l.End:
		return reject(CodeOutOfRange, "amount", "a charge is above zero, for an hour of the lease")
	case c.Amount > l.Hold-l.charged-l.cut:
		return reject(CodeChargeTooLarge, "amount", "the charges of a lease never exceed its hold")
	}
	next := charge{Kind: c.Kind, Hour: c.Hour, Amount: min(c.Amount, l.unspent())}
	next.Cut = c.Amount - next.Amount
	l.charges = append(l.charges, next)
	l.charged += next.Amount
	l.cut += next.Cut
	fee := l.charged.Share(l.Fee) - l.feePaid
	l.feePaid += fee
	s.fees += fee
	s.accountNamed[l.Consumer].spend(next.Amount)
	s.accountNamed[l.Provider].available += next.Amount - fee
	s.emit(corehour.EventChargePosted, l.ID.String(), corehour.ChargePosted{
		Lease: l.ID, Consumer: l.Consumer, Provider: l.Provider, Number: c.Number, Kind: c.Kind, Hour: c.Hour,
		Amount: next.Amount, Fee: fee, Cut: next.Cut,
	})
	return reply
}

// asked reports whether the charge is the one that a command asks for.
func (c charge) asked(p PostCharge) bool {
	return c.Kind == p.Kind && c.Hour == p.Hour && c.Amount+c.Cut == p.Amount
}

func (s *State) settleLease(c SettleLease) Reply {
	l, reply := s.billable(c.Lease)
	switch {
	case l == nil:
		return reply
	case l.status == corehour.StatusDisputed:
		return reject(CodeDisputed, "lease", "the lease is disputed")
	case !l.status.Over():
		return l.wrongStatus()
	case c.Charges != int64(len(l.charges)):
		return reject(CodeChargeGap, "charges", "the lease has another number of charges")
	}
	released, returned := s.giveBack(l, l.unspent())
	delete(s.leases, l.ID)
	s.emit(corehour.EventLeaseSettled, l.ID.String(), corehour.LeaseSettled{
		Lease: l.ID, Consumer: l.Consumer, Provider: l.Provider, Charges: c.Charges, Charged: l.charged,
		Fee: l.feePaid, Released: released, Returned: returned, Payer: l.payerOf(returned),
	})
	return reply
}

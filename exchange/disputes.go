package exchange

import "github.com/corehour/corehour"

// disputeLease stops the settlement of a lease that has ended. What it is charged
// meanwhile is posted as ever: a dispute is about money that comes back, and an
// operator decides on it.
func (s *State) disputeLease(c DisputeLease) Reply {
	l := s.leases[c.Lease]
	switch {
	case l == nil || l.Consumer != c.Consumer:
		return reject(CodeUnknownLease, "lease", "there is no such unsettled lease")
	case badText(c.Reason) || c.Reason == "":
		return reject(CodeOutOfRange, "reason", "a reason is 1 to 256 bytes of UTF-8")
	case l.status == corehour.StatusDisputed:
		return Reply{Lease: l.ID, Repeat: true}
	case !l.status.Over():
		return l.wrongStatus()
	case l.resolved:
		return reject(CodeWrongStatus, "lease", "an operator has resolved a dispute about the lease")
	}
	l.endedAs, l.status = l.status, corehour.StatusDisputed
	s.emit(corehour.EventLeaseDisputed, l.ID.String(), corehour.LeaseDisputed{
		Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer, Reason: c.Reason,
	})
	return Reply{Lease: l.ID}
}

// resolveDispute lets a disputed lease be settled as what it had ended as.
func (s *State) resolveDispute(c ResolveDispute) Reply {
	l, reply := s.billable(c.Lease)
	switch {
	case l == nil:
		return reply
	case l.status != corehour.StatusDisputed:
		return l.wrongStatus()
	case c.Credit < 0 || c.Credit > l.charged:
		return reject(CodeOutOfRange, "credit", "a credit is at most what the lease was charged, "+l.charged.String())
	}
	provider := s.accountNamed[l.Provider]
	if c.Credit > provider.bond {
		return reject(CodeInsufficientFunds, "credit", "the provider's bond is "+provider.bond.String())
	}
	provider.bond -= c.Credit
	s.accountNamed[l.Consumer].available += c.Credit
	l.credited += c.Credit
	l.status, l.endedAs, l.resolved = l.endedAs, "", true
	s.emit(corehour.EventDisputeResolved, l.ID.String(), corehour.DisputeResolved{
		Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer, Status: l.status, Credit: c.Credit,
	})
	return reply
}

package exchange

import "github.com/corehour/corehour"

func (s *State) postBond(c PostBond) Reply {
	a, refusal := s.movable(c.Account, c.Amount, c.Reference)
	if a == nil {
		return refusal
	}
	if a.available < c.Amount {
		return reject(CodeInsufficientFunds, "amount", "the account has less available")
	}
	a.available -= c.Amount
	a.bond += c.Amount
	s.emit(corehour.EventBondPosted, string(a.id), corehour.BondMoved(c))
	return Reply{}
}

// releaseBond gives back what of a bond is not needed: a share of what the running
// leases hold, and all of it while there is a bid for what the account failed to
// deliver, because nobody knows yet what that will cost.
func (s *State) releaseBond(c ReleaseBond) Reply {
	a, refusal := s.movable(c.Account, c.Amount, c.Reference)
	if a == nil {
		return refusal
	}
	needed := a.running.Share(s.rules.BondShare)
	switch {
	case a.bond < c.Amount:
		return reject(CodeInsufficientFunds, "amount", "the bond is "+a.bond.String())
	case a.owing > 0:
		return reject(CodeBondNeeded, "amount", "the exchange still bids for what the account failed to deliver")
	case a.bond-c.Amount < needed:
		return reject(CodeBondNeeded, "amount", "what the account delivers needs a bond of "+needed.String())
	}
	a.bond -= c.Amount
	a.available += c.Amount
	s.emit(corehour.EventBondReleased, string(a.id), corehour.BondMoved(c))
	return Reply{}
}

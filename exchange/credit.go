package exchange

import "github.com/corehour/corehour"

// The funds of an account. Available and held change only through these. Held is
// never below zero; available goes below zero by the account's credit at most, and
// nothing but a hold takes it there (ADR 0017).

func (a *account) hold(amount corehour.Money) {
	a.available -= amount
	a.held += amount
	if a.held < 0 || amount > 0 && a.available < -a.credit {
		panic("exchange: a hold of account " + string(a.id) + " is not covered")
	}
}

func (a *account) release(amount corehour.Money) {
	a.held -= amount
	a.available += amount
	a.assertHeld()
}

func (a *account) spend(amount corehour.Money) {
	a.held -= amount
	a.assertHeld()
}

func (a *account) assertHeld() {
	if a.held < 0 {
		panic("exchange: what account " + string(a.id) + " holds fell below zero")
	}
}

func (a *account) assertBond() {
	if a.bond < 0 {
		panic("exchange: the bond of account " + string(a.id) + " fell below zero")
	}
}

// funds are what a hold may take: what is available and what is left of the credit.
// They are below zero where the credit was lowered below what is used of it.
func (a *account) funds() corehour.Money { return a.available + a.credit }

// setCredit changes how far available funds may go below zero.
//
// All money in the exchange together stays within Money, so that no sum of
// balances can overflow: what is above zero on some accounts is what was deposited
// and what others owe, and those owe granted at most. An account's part of that is
// its limit, or what it owes if that is more.
func (s *State) setCredit(c SetCredit) Reply {
	a := s.accountNamed[c.Account]
	switch {
	case a == nil:
		return reject(CodeUnknownAccount, "account", "there is no such account")
	case c.Limit < 0 || c.Limit > corehour.MaxMoney:
		return reject(CodeOutOfRange, "credit_limit", "a credit limit is 0 to a billion")
	}
	granted := max(c.Limit, -a.available)
	if granted > a.granted && s.room() < granted-a.granted {
		return reject(CodeOutOfRange, "credit_limit", "deposits and credit together are at most 9 billion in all")
	}
	if a.credit == c.Limit {
		return Reply{}
	}
	s.granted += granted - a.granted
	a.credit, a.granted = c.Limit, granted
	s.emit(corehour.EventCreditSet, string(a.id), corehour.CreditSet{Account: a.id, Limit: c.Limit})
	return Reply{}
}

// room is how much more may be deposited or granted.
func (s *State) room() corehour.Money { return maxDeposited - max(s.deposited, 0) - s.granted }

package exchange

import (
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/corehour/corehour"
)

// Field names in rejections are those of the API.

func badName(field string) Reply {
	return reject(CodeOutOfRange, field, "a name is 1 to 64 letters, digits, dots, dashes, underscores and colons")
}

func badText(text string) bool {
	return len(text) > corehour.MaxTextBytes || !utf8.ValidString(text)
}

func (s *State) defineProduct(c DefineProduct) Reply {
	switch {
	case !corehour.ValidName(c.Product.ID):
		return badName("id")
	case badText(c.Product.Unit):
		return reject(CodeOutOfRange, "unit", "a description has at most 256 bytes of UTF-8")
	}
	known := s.productNamed[c.Product.ID]
	switch {
	case known == nil && len(s.products) >= corehour.MaxProducts:
		return reject(CodeTooMany, "id", "an exchange has at most 256 products")
	case known == nil:
		s.addProduct(c.Product)
	case known.Product == c.Product:
		return Reply{}
	default:
		known.Product = c.Product
	}
	s.emit(corehour.EventProductDefined, string(c.Product.ID), c.Product)
	return Reply{}
}

var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

func (s *State) defineRegion(c DefineRegion) Reply {
	r := c.Region
	switch {
	case !corehour.ValidName(r.ID):
		return badName("id")
	case !countryPattern.MatchString(r.Country):
		return reject(CodeOutOfRange, "country", "a country is two capital letters (ISO 3166-1)")
	case !slices.Contains(corehour.Continents[:], r.Continent):
		return reject(CodeOutOfRange, "continent", "not a continent of this exchange")
	case !corehour.ValidName(r.Zone):
		return badName("zone")
	}
	if i, known := s.regionNamed[r.ID]; known {
		if s.regions[i] == r {
			return Reply{}
		}
		return reject(CodeRegionExists, "id", "this region is already defined elsewhere on earth")
	}
	if len(s.regions) >= corehour.MaxRegions {
		return reject(CodeTooMany, "id", "an exchange has at most 256 regions")
	}
	s.addRegion(r)
	s.emit(corehour.EventRegionDefined, string(r.ID), r)
	s.extendPlaces(r)
	return Reply{}
}

func (s *State) setFee(c SetFee) Reply {
	if c.Fee < 0 || c.Fee > corehour.WholeShare {
		return reject(CodeOutOfRange, "fee_bps", "a fee is 0 to 10000 basis points")
	}
	if c.Fee != s.fee {
		s.fee = c.Fee
		s.emit(corehour.EventFeeSet, "fee", corehour.FeeSet{Fee: c.Fee})
	}
	return Reply{}
}

func (s *State) openAccount(c OpenAccount) Reply {
	switch {
	case !corehour.ValidName(c.Account):
		return badName("account")
	case !corehour.ValidName(c.Org):
		return badName("org")
	case badText(c.Name):
		return reject(CodeOutOfRange, "name", "a name has at most 256 bytes of UTF-8")
	}
	if known := s.accountNamed[c.Account]; known != nil {
		if known.org == c.Org && known.name == c.Name {
			return Reply{Repeat: true}
		}
		return reject(CodeAccountExists, "account", "this account is already open under another organisation or name")
	}
	if len(s.accounts) >= MaxAccounts {
		return reject(CodeTooMany, "account", "an exchange has at most a million accounts")
	}
	s.addAccount(c.Account, c.Org, c.Name)
	s.emit(corehour.EventAccountOpened, string(c.Account), corehour.AccountOpened(c))
	return Reply{}
}

// The funds of an account. Available and held change only through these, so
// that neither is ever below zero.

func (a *account) hold(amount corehour.Money) {
	a.available -= amount
	a.held += amount
	a.assertFunds()
}

func (a *account) release(amount corehour.Money) {
	a.held -= amount
	a.available += amount
	a.assertFunds()
}

func (a *account) assertFunds() {
	if a.available < 0 || a.held < 0 || a.bond < 0 {
		panic("exchange: funds of account " + string(a.id) + " fell below zero")
	}
}

func (s *State) movable(id corehour.AccountID, amount corehour.Money, reference string) (*account, Reply) {
	a := s.accountNamed[id]
	switch {
	case a == nil:
		return nil, reject(CodeUnknownAccount, "account", "there is no such account")
	case amount <= 0 || amount > corehour.MaxMoney:
		return nil, reject(CodeOutOfRange, "amount", "an amount is above zero and at most a billion")
	case !corehour.ValidName(reference):
		return nil, badName("reference")
	}
	return a, Reply{}
}

func (s *State) deposit(c Deposit) Reply {
	a, refusal := s.movable(c.Account, c.Amount, c.Reference)
	if a == nil {
		return refusal
	}
	// All money in the exchange together stays within Money, so that no sum of
	// balances can overflow.
	if s.deposited > maxDeposited-c.Amount {
		return reject(CodeOutOfRange, "amount", "the exchange holds at most 9 billion in all")
	}
	s.deposited += c.Amount
	a.available += c.Amount
	s.emit(corehour.EventFundsDeposited, string(a.id), corehour.FundsMoved(c))
	return Reply{}
}

const maxDeposited corehour.Money = 9 * corehour.MaxMoney

func (s *State) payOut(c PayOut) Reply {
	a, refusal := s.movable(c.Account, c.Amount, c.Reference)
	if a == nil {
		return refusal
	}
	if a.available < c.Amount {
		return reject(CodeInsufficientFunds, "amount", "the account has less available")
	}
	s.deposited -= c.Amount
	a.available -= c.Amount
	s.emit(corehour.EventFundsPaidOut, string(a.id), corehour.FundsMoved(c))
	return Reply{}
}

package exchange

import (
	"fmt"

	"github.com/corehour/corehour"
)

// riskImage is the part of an image about limits, halts and sessions.
type riskImage struct {
	Halts       []corehour.Halt  `cbor:"20,keyasint,omitempty"`
	Limits      *corehour.Limits `cbor:"21,keyasint,omitempty"`
	Trading     []tradingImage   `cbor:"22,keyasint,omitempty"` // by product
	Sessions    []sessionImage   `cbor:"23,keyasint,omitempty"`
	LastSession uint64           `cbor:"24,keyasint,omitempty"`
}

type tradingImage struct {
	LastPrice corehour.Price `cbor:"1,keyasint,omitempty"`
	Cleaner   bool           `cbor:"2,keyasint,omitempty"`
}

type sessionImage struct {
	Number             uint64             `cbor:"1,keyasint"`
	Account            corehour.AccountID `cbor:"2,keyasint"`
	Name               corehour.SessionID `cbor:"3,keyasint"`
	Timeout            corehour.Seconds   `cbor:"4,keyasint,omitempty"`
	CancelOnDisconnect bool               `cbor:"5,keyasint,omitempty"`
	OpenedAt           corehour.Instant   `cbor:"6,keyasint,omitempty"`
	EndsAt             corehour.Instant   `cbor:"7,keyasint,omitempty"`
}

type accountRiskImage struct {
	Credit      corehour.Money   `cbor:"10,keyasint,omitempty"`
	Granted     corehour.Money   `cbor:"11,keyasint,omitempty"`
	Limits      *corehour.Limits `cbor:"12,keyasint,omitempty"`
	RateMissing int64            `cbor:"13,keyasint,omitempty"`
	RateAt      corehour.Instant `cbor:"14,keyasint,omitempty"`
	Spent       corehour.Money   `cbor:"15,keyasint,omitempty"`
	SpentDay    int64            `cbor:"16,keyasint,omitempty"`
}

func (s *State) riskImage() riskImage {
	img := riskImage{Halts: s.halts(), Limits: s.limits, LastSession: s.lastSession}
	for _, p := range s.products {
		img.Trading = append(img.Trading, tradingImage{LastPrice: p.lastPrice, Cleaner: p.cleaner})
	}
	for _, number := range sortedKeys(s.sessions) {
		x := s.sessions[number]
		img.Sessions = append(img.Sessions, sessionImage{
			Number: x.number, Account: x.owner.id, Name: x.name, Timeout: x.timeout,
			CancelOnDisconnect: x.cancelOnDisconnect, OpenedAt: x.openedAt, EndsAt: x.endsAt,
		})
	}
	return img
}

func (a *account) riskImage() accountRiskImage {
	return accountRiskImage{
		Credit: a.credit, Granted: a.granted, Limits: a.limits, RateMissing: a.rate.missing, RateAt: a.rate.at,
		Spent: a.spent, SpentDay: a.spentDay,
	}
}

// halts lists what is halted: the exchange, products and accounts in the order of
// their definition, of each account its orders before its offers.
func (s *State) halts() (halts []corehour.Halt) {
	add := func(h *corehour.Halt) {
		if h != nil {
			halts = append(halts, *h)
		}
	}
	add(s.halted)
	for _, p := range s.products {
		add(p.halted)
	}
	for _, a := range s.accounts {
		add(a.halted)
		add(a.unsold)
	}
	return halts
}

func (s *State) restoreFunds(a *account, img *accountRiskImage) {
	a.credit, a.granted, a.limits = img.Credit, img.Granted, img.Limits
	a.rate = orderRate{missing: img.RateMissing, at: img.RateAt}
	a.spent, a.spentDay = img.Spent, img.SpentDay
	s.granted += a.granted
}

func (s *State) restoreRisk(img *riskImage) error {
	s.limits, s.lastSession = img.Limits, img.LastSession
	for i, t := range img.Trading {
		if i >= len(s.products) {
			return fmt.Errorf("state image: trading of %d products, of which there are %d", len(img.Trading), len(s.products))
		}
		s.products[i].lastPrice, s.products[i].cleaner = t.LastPrice, t.Cleaner
	}
	for _, h := range img.Halts {
		place, _, refusal := s.haltAt(h.Scope, h.Name)
		if refusal.Rejected() {
			return fmt.Errorf("state image: halt of %s: %s", subjectOf(h.Scope, h.Name), refusal.Message)
		}
		*place = &h
	}
	for _, from := range img.Sessions {
		owner := s.accountNamed[from.Account]
		if owner == nil {
			return fmt.Errorf("state image: session %s of an account that does not exist", from.Name)
		}
		s.addSession(&session{
			number: from.Number, owner: owner, name: from.Name, timeout: from.Timeout,
			cancelOnDisconnect: from.CancelOnDisconnect, openedAt: from.OpenedAt, endsAt: from.EndsAt,
		})
	}
	return nil
}

// suspendHalted takes the offers of halted providers out of sale, once all of them
// and their leases are in the books.
func (s *State) suspendHalted() {
	for _, a := range s.accounts {
		if a.unsold == nil {
			continue
		}
		for e := a.offers.Front(); e != nil; e = e.Next() {
			o := e.Value.(*offer)
			s.bookOf(o.Product).Suspend(o.ref)
		}
	}
}

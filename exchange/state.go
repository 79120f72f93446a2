package exchange

import (
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// State is the exchange at one point of the log: catalogue, accounts, open
// orders and unsettled leases. It changes only through Apply, and two states
// that applied the same commands are equal byte for byte (see Hash).
//
// Names are interned in the order in which the log defines them, so that books
// compare numbers. What is over and settled leaves the state; SQL remembers it.
type State struct {
	now corehour.Instant
	fee corehour.BasisPoints

	lastOffer   corehour.OfferID
	lastBid     corehour.BidID
	lastLease   corehour.LeaseID
	lastArrival uint64

	products     []*product // in the order of their definition
	productNamed map[corehour.ProductID]*product

	regions     []corehour.Region // by orderbook.RegionIndex
	regionNamed map[corehour.RegionID]orderbook.RegionIndex

	orgs     []corehour.OrgID // by orderbook.OrgIndex
	orgNamed map[corehour.OrgID]orderbook.OrgIndex

	accounts     []*account // by orderbook.ProviderIndex
	accountNamed map[corehour.AccountID]*account

	deposited corehour.Money // all deposits less all payouts: what accounts and fees add up to
	fees      corehour.Money

	offers map[corehour.OfferID]*offer
	bids   map[corehour.BidID]*bid
	leases map[corehour.LeaseID]*lease
	kept   map[keptKey]keptReply

	deadlines deadlines
	events    []pendingEvent // of the command being applied; reused
}

// Limits of the state. Past them a command is rejected with CodeTooMany.
const (
	MaxAccounts        = 1_000_000
	MaxOpenOffers      = 4_000_000
	MaxOpenBids        = 4_000_000
	MaxKeptReplies     = 50_000_000
	MaxChargesPerLease = 100_000
)

type product struct {
	corehour.Product
	book *orderbook.Book
}

type account struct {
	id        corehour.AccountID
	org       corehour.OrgID
	name      string
	index     orderbook.ProviderIndex
	orgIndex  orderbook.OrgIndex
	available corehour.Money
	held      corehour.Money
}

type offer struct {
	corehour.Offer
	arrival uint64
}

type bid struct {
	corehour.Bid
	arrival    uint64
	open       corehour.Units
	leasesLeft int
	hold       corehour.Money // what the open units may cost
	leaseHolds corehour.Money // what the leases made of it held at their match, for the reply
}

type lease struct {
	corehour.Lease
	status  corehour.LeaseStatus
	endedAt corehour.Instant
	charges []charge
	charged corehour.Money
	feePaid corehour.Money
}

type charge struct {
	Kind   corehour.ChargeKind `cbor:"1,keyasint"`
	Hour   corehour.Minute     `cbor:"2,keyasint"`
	Amount corehour.Money      `cbor:"3,keyasint"`
}

// pendingEvent is an event before it is written as JSON, which happens outside
// of the state machine.
type pendingEvent struct {
	typ     corehour.EventType
	at      corehour.Instant
	subject string
	data    any
}

// NewState is the exchange before the first command.
func NewState() *State {
	return &State{
		productNamed: make(map[corehour.ProductID]*product),
		regionNamed:  make(map[corehour.RegionID]orderbook.RegionIndex),
		orgNamed:     make(map[corehour.OrgID]orderbook.OrgIndex),
		accountNamed: make(map[corehour.AccountID]*account),
		offers:       make(map[corehour.OfferID]*offer),
		bids:         make(map[corehour.BidID]*bid),
		leases:       make(map[corehour.LeaseID]*lease),
		kept:         make(map[keptKey]keptReply),
	}
}

// Now is the time of the newest command.
func (s *State) Now() corehour.Instant { return s.now }

// startable is the first minute that a lease may still start at.
func (s *State) startable() corehour.Minute { return s.now.CeilMinute() }

func (s *State) emit(typ corehour.EventType, subject string, data any) {
	s.emitAt(s.now, typ, subject, data)
}

func (s *State) emitAt(at corehour.Instant, typ corehour.EventType, subject string, data any) {
	s.events = append(s.events, pendingEvent{typ: typ, at: at, subject: subject, data: data})
}

func (s *State) internOrg(id corehour.OrgID) orderbook.OrgIndex {
	if i, ok := s.orgNamed[id]; ok {
		return i
	}
	i := orderbook.OrgIndex(len(s.orgs))
	s.orgs = append(s.orgs, id)
	s.orgNamed[id] = i
	return i
}

func (s *State) addAccount(id corehour.AccountID, org corehour.OrgID, name string) *account {
	a := &account{id: id, org: org, name: name, index: orderbook.ProviderIndex(len(s.accounts)), orgIndex: s.internOrg(org)}
	s.accounts = append(s.accounts, a)
	s.accountNamed[id] = a
	return a
}

func (s *State) addProduct(p corehour.Product) *product {
	added := &product{Product: p, book: orderbook.New()}
	s.products = append(s.products, added)
	s.productNamed[p.ID] = added
	return added
}

func (s *State) addRegion(r corehour.Region) {
	s.regionNamed[r.ID] = orderbook.RegionIndex(len(s.regions))
	s.regions = append(s.regions, r)
}

func (a *account) view() AccountView {
	return AccountView{Account: a.id, Org: a.org, Name: a.name, Available: a.available, Held: a.held}
}

// reject is the reply of a command that a rule refuses.
func reject(code corehour.Code, field, message string) Reply {
	return Reply{Code: code, Field: field, Message: message}
}

// regionSet resolves names; ok is false with the first name that is unknown.
func (s *State) regionSet(a corehour.Allowed[corehour.RegionID]) (set orderbook.RegionSet, unknown corehour.RegionID, ok bool) {
	set.AllowAll = len(a.Allow) == 0
	for _, list := range [...]struct {
		names []corehour.RegionID
		bits  *orderbook.RegionBits
	}{{a.Allow, &set.Allow}, {a.Deny, &set.Deny}} {
		for _, name := range list.names {
			i, known := s.regionNamed[name]
			if !known {
				return set, name, false
			}
			list.bits[i/64] |= 1 << (i % 64)
		}
	}
	return set, "", true
}

// providerSet resolves names; ok is false with the first name that is unknown.
func (s *State) providerSet(a corehour.Allowed[corehour.AccountID]) (set orderbook.ProviderSet, unknown corehour.AccountID, ok bool) {
	set.AllowAll = len(a.Allow) == 0
	for _, list := range [...]struct {
		names []corehour.AccountID
		into  *[]orderbook.ProviderIndex
	}{{a.Allow, &set.Allow}, {a.Deny, &set.Deny}} {
		for _, name := range list.names {
			found, known := s.accountNamed[name]
			if !known {
				return set, name, false
			}
			*list.into = append(*list.into, found.index)
		}
		slices.Sort(*list.into)
	}
	return set, "", true
}

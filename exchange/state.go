package exchange

import (
	"container/list"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// State is the exchange at one point of the log: catalogue, grid, accounts, open
// orders and unsettled leases. It changes only through apply, and two states
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

	zones     []corehour.Zone // by orderbook.ZoneIndex, which begins at 1
	zoneNamed map[corehour.ZoneID]orderbook.ZoneIndex
	grid      *orderbook.Grid // read by the books of all products

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

	// forgetful is for the simulation alone (Exchange.forgetful).
	forgetful bool

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

	// Open orders in the order of their ids, so that one account's can be found
	// among millions.
	bids   list.List // of *bid
	offers list.List // of *offer
}

type offer struct {
	corehour.Offer
	arrival uint64
	ref     orderbook.OfferRef
	listed  *list.Element // among its provider's
}

type bid struct {
	corehour.Bid
	arrival uint64
	// ref is zero while the bid is not in its book: before it rests, and while its
	// first match is worked on.
	ref    orderbook.BidRef
	listed *list.Element // among its consumer's
	open   corehour.Units
	// left is how many minutes each open unit still seeks: all of the duration, but
	// for a splittable bid that has pieces.
	left       corehour.Minutes
	taken      []orderbook.Span // the pieces of a splittable bid, sorted
	leasesLeft int
	// allOrNone is decided by the terms that the bid was placed with: a minimum
	// fill that becomes all of its units by an amendment does not make it so.
	allOrNone  bool
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
		grid:         orderbook.NewGrid(),
		zoneNamed:    make(map[corehour.ZoneID]orderbook.ZoneIndex),
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
	added := &product{Product: p, book: orderbook.New(s.grid)}
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

// listBid and listOffer make an order one of its account's and of the state's.
func (s *State) listBid(b *bid) {
	s.bids[b.ID] = b
	b.listed = s.accountNamed[b.Consumer].bids.PushBack(b)
}

func (s *State) listOffer(o *offer) {
	s.offers[o.ID] = o
	o.listed = s.accountNamed[o.Provider].offers.PushBack(o)
}

func (s *State) unlistBid(b *bid) {
	delete(s.bids, b.ID)
	s.accountNamed[b.Consumer].bids.Remove(b.listed)
}

func (s *State) unlistOffer(o *offer) {
	delete(s.offers, o.ID)
	s.accountNamed[o.Provider].offers.Remove(o.listed)
}

// bookOf is the book that an order of a product is in.
func (s *State) bookOf(p corehour.ProductID) *orderbook.Book { return s.productNamed[p].book }

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

	orgs     []corehour.OrgID            // by orderbook.OrgIndex
	members  [][]orderbook.ProviderIndex // likewise: its accounts
	orgNamed map[corehour.OrgID]orderbook.OrgIndex

	accounts     []*account // by orderbook.ProviderIndex
	accountNamed map[corehour.AccountID]*account

	deposited corehour.Money // all deposits less all payouts: what accounts and fees add up to
	granted   corehour.Money // the sum of what accounts may owe
	fees      corehour.Money

	halted *corehour.Halt   // of the whole exchange; nil while it trades
	limits *corehour.Limits // of accounts without their own; nil is none

	lastSession uint64
	sessions    map[uint64]*session // by number

	offers map[corehour.OfferID]*offer
	bids   map[corehour.BidID]*bid
	leases map[corehour.LeaseID]*lease
	kept   map[keptKey]keptReply

	// forgetful is for the simulation alone (Exchange.forgetful).
	forgetful bool

	deadlines deadlines
	events    []pendingEvent // of the command being applied; reused

	rules    corehour.LeaseRules
	rulesSet bool // some rules were set, be it those that switch all off
	control  control
	covers   map[coverRank]*bid      // resting bids that cover what failed
	closed   map[corehour.BidID]*bid // closed bids whose leases may have to be covered
	passing  passing
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
	book      *orderbook.Book
	lastPrice corehour.Price // of the last lease that was matched; zero before the first
	halted    *corehour.Halt
	cleaner   bool // the grid got cleaner while nothing matched
}

type account struct {
	id        corehour.AccountID
	org       corehour.OrgID
	name      string
	index     orderbook.ProviderIndex
	orgIndex  orderbook.OrgIndex
	available corehour.Money
	held      corehour.Money
	bidding   corehour.Money // the part of held that is open bids'

	credit   corehour.Money // how far available may go below zero
	granted  corehour.Money // what the account may owe: its credit, or what it owed when that was lowered
	spent    corehour.Money // what leases held that were matched on the day of spentDay
	spentDay int64
	limits   *corehour.Limits // its own; nil are those of the exchange
	rate     orderRate
	halted   *corehour.Halt // it places no orders
	unsold   *corehour.Halt // its offers are not for sale
	sessions []*session     // in the order in which they were opened

	bond    corehour.Money // put up for what it promises to deliver
	running corehour.Money // what the running leases that it delivers hold
	owing   int            // resting covers of what it failed to deliver

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
	// unseen is capacity that came free while nothing matched.
	unseen    bool
	session   *session
	inSession *list.Element
	owner     *account
	// withdrawn are units of leases that failed or were interrupted. They are as
	// good as sold to the end that was planned.
	withdrawn []withdrawal
}

type bid struct {
	corehour.Bid
	arrival uint64
	// ref is zero while the bid is not in its book: before it rests, and while its
	// first match is worked on.
	ref    orderbook.BidRef
	listed *list.Element // among its consumer's
	// session takes the bid back when it ends; nil where it was placed in none.
	session   *session
	inSession *list.Element
	open      corehour.Units
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
	running    int            // its leases that may have to be covered
	cover      *cover         // of a bid that the exchange placed; nil for others
}

type lease struct {
	corehour.Lease
	status  corehour.LeaseStatus
	charges []charge
	charged corehour.Money
	feePaid corehour.Money

	acceptedAt, startedAt, endedAt corehour.Instant

	credited corehour.Money // to the consumer, out of the provider's bond
	overseen
}

type charge struct {
	Kind   corehour.ChargeKind `cbor:"1,keyasint"`
	Hour   corehour.Minute     `cbor:"2,keyasint"`
	Amount corehour.Money      `cbor:"3,keyasint"`
	Cut    corehour.Money      `cbor:"4,keyasint,omitempty"`
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
		sessions:     make(map[uint64]*session),
		covers:       make(map[coverRank]*bid),
		closed:       make(map[corehour.BidID]*bid),
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
	s.members = append(s.members, nil)
	s.orgNamed[id] = i
	return i
}

func (s *State) addAccount(id corehour.AccountID, org corehour.OrgID, name string) *account {
	a := &account{id: id, org: org, name: name, index: orderbook.ProviderIndex(len(s.accounts)), orgIndex: s.internOrg(org)}
	s.accounts = append(s.accounts, a)
	s.accountNamed[id] = a
	s.members[a.orgIndex] = append(s.members[a.orgIndex], a.index)
	s.reshun(org)
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
	return AccountView{
		Account: a.id, Org: a.org, Name: a.name, Available: a.available, Held: a.held, CreditLimit: a.credit, Bond: a.bond,
	}
}

// reject is the reply of a command that a rule refuses.
func reject(code corehour.Code, field, message string) Reply {
	return Reply{Code: code, Field: field, Message: message}
}

// listBid and listOffer make an order one of its account's and of the state's.
func (s *State) listBid(b *bid) {
	s.bids[b.ID] = b
	b.listed = s.accountNamed[b.Consumer].bids.PushBack(b)
	if b.session != nil {
		b.inSession = b.session.bids.PushBack(b)
	}
}

func (s *State) listOffer(o *offer) {
	s.offers[o.ID] = o
	o.owner = s.accountNamed[o.Provider]
	o.listed = o.owner.offers.PushBack(o)
	if o.session != nil {
		o.inSession = o.session.offers.PushBack(o)
	}
}

func (s *State) unlistBid(b *bid) {
	delete(s.bids, b.ID)
	s.accountNamed[b.Consumer].bids.Remove(b.listed)
	if b.session != nil {
		b.session.bids.Remove(b.inSession)
	}
}

func (s *State) unlistOffer(o *offer) {
	delete(s.offers, o.ID)
	s.accountNamed[o.Provider].offers.Remove(o.listed)
	if o.session != nil {
		o.session.offers.Remove(o.inSession)
	}
}

// bookOf is the book that an order of a product is in.
func (s *State) bookOf(p corehour.ProductID) *orderbook.Book { return s.productNamed[p].book }

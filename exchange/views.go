package exchange

import "github.com/corehour/corehour"

// OrderStatus is whether an order is still in the book.
type OrderStatus string

// The statuses of an order.
const (
	StatusOpen   OrderStatus = "open"
	StatusClosed OrderStatus = "closed"
)

// AccountView is an account and its funds.
type AccountView struct {
	Account   corehour.AccountID `json:"account"`
	Org       corehour.OrgID     `json:"org"`
	Name      string             `json:"name"`
	Available corehour.Money     `json:"available"`
	Held      corehour.Money     `json:"held"`
	// CreditLimit is how far Available may go below zero.
	CreditLimit corehour.Money `json:"credit_limit"`
	// Bond is what the account has put up for what it promises to deliver.
	Bond corehour.Money `json:"bond"`
}

// OfferView is an offer with its newest terms, and what became of it.
type OfferView struct {
	corehour.Offer
	Status   OrderStatus          `json:"status"`
	Closed   corehour.CloseReason `json:"closed,omitempty"`
	ClosedAt corehour.Instant     `json:"closed_at,omitzero"`
}

// BidView is a bid with its newest terms, and what became of it.
type BidView struct {
	corehour.Bid
	Status OrderStatus `json:"status"`
	// Filled + Open = Units while it is open; once closed, what was not filled is cancelled.
	Filled corehour.Units `json:"filled"`
	Open   corehour.Units `json:"open"`
	// Left is how many minutes each open unit still sought, or seeks: the bid's
	// duration, of a splittable bid what its pieces do not cover, zero where all
	// is filled. The pieces of a splittable bid count as Filled once all are there.
	Left     corehour.Minutes     `json:"left_minutes"`
	Closed   corehour.CloseReason `json:"closed,omitempty"`
	ClosedAt corehour.Instant     `json:"closed_at,omitzero"`
}

// LeaseView is a lease as it was matched, and where it stands.
type LeaseView struct {
	corehour.Lease
	Status     corehour.LeaseStatus `json:"status"`
	AcceptedAt corehour.Instant     `json:"accepted_at,omitzero"`
	StartedAt  corehour.Instant     `json:"started_at,omitzero"`
	EndedAt    corehour.Instant     `json:"ended_at,omitzero"`
	SettledAt  corehour.Instant     `json:"settled_at,omitzero"`
	Charged    corehour.Money       `json:"charged"`
	FeePaid    corehour.Money       `json:"fee_paid"`
	// Cause says why it failed or was interrupted, InterruptAt for when an
	// interruption was announced.
	Cause       corehour.EndCause `json:"cause,omitempty"`
	InterruptAt corehour.Minute   `json:"interrupt_at,omitzero"`
	// SuspectSince is when its heartbeats stopped, while they have not come back.
	SuspectSince corehour.Instant `json:"suspect_since,omitzero"`
	// Credit is what the provider's bond has paid to the consumer for it.
	Credit corehour.Money `json:"credit,omitzero"`
}

func (l *lease) view() LeaseView {
	return LeaseView{
		Lease: l.Lease, Status: l.status, AcceptedAt: l.acceptedAt, StartedAt: l.startedAt, EndedAt: l.endedAt, Charged: l.charged,
		FeePaid: l.feePaid, Cause: l.cause, InterruptAt: l.interruptAt, SuspectSince: l.suspectAt, Credit: l.credited,
	}
}

// OversightView is what the exchange asks of providers while leases live, and
// what it knows of their heartbeats.
type OversightView struct {
	Rules corehour.LeaseRules `json:"rules"`
	// Watched leases are active ones whose heartbeats are expected; Suspect of them
	// are silent. While ControlLost, none fails for that.
	Watched     int  `json:"watched"`
	Suspect     int  `json:"suspect"`
	ControlLost bool `json:"control_lost"`
}

// MaxPage bounds how many items one query returns.
const MaxPage = 500

// OfferQuery selects offers in the order of their ids; empty fields select all.
type OfferQuery struct {
	Product  corehour.ProductID
	Region   corehour.RegionID
	Provider corehour.AccountID
	Status   OrderStatus
	After    corehour.OfferID
	Limit    int
}

// BidQuery selects bids in the order of their ids; empty fields select all.
type BidQuery struct {
	Consumer corehour.AccountID
	Product  corehour.ProductID
	Status   OrderStatus
	After    corehour.BidID
	Limit    int
}

// LeaseQuery selects leases in the order of their ids; empty fields select all.
type LeaseQuery struct {
	Consumer corehour.AccountID
	Provider corehour.AccountID
	Bid      corehour.BidID
	Offer    corehour.OfferID
	Status   corehour.LeaseStatus
	After    corehour.LeaseID
	Limit    int
}

func (o *offer) view() OfferView { return OfferView{Offer: o.Offer, Status: StatusOpen} }

func (b *bid) view() BidView {
	return BidView{Bid: b.Bid, Status: StatusOpen, Filled: b.Units - b.open, Open: b.open, Left: b.left}
}

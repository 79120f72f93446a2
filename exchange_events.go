package corehour

// What the exchange publishes. Data of an event is one of these structs as JSON.
const (
	EventProductDefined EventType = "exchange.product.defined.v1"
	EventRegionDefined  EventType = "exchange.region.defined.v1"
	EventFeeSet         EventType = "exchange.fee.set.v1"
	EventAccountOpened  EventType = "exchange.account.opened.v1"
	EventFundsDeposited EventType = "exchange.funds.deposited.v1"
	EventFundsPaidOut   EventType = "exchange.funds.paid_out.v1"
	EventOfferPlaced    EventType = "exchange.offer.placed.v1"
	EventOfferClosed    EventType = "exchange.offer.closed.v1"
	EventBidPlaced      EventType = "exchange.bid.placed.v1"
	EventBidClosed      EventType = "exchange.bid.closed.v1"
	EventLeaseMatched   EventType = "exchange.lease.matched.v1"
	EventLeaseAccepted  EventType = "exchange.lease.accepted.v1"
	EventLeaseStarted   EventType = "exchange.lease.started.v1"
	EventLeaseEnded     EventType = "exchange.lease.ended.v1"
	EventLeaseSettled   EventType = "exchange.lease.settled.v1"
	EventChargePosted   EventType = "exchange.charge.posted.v1"
	EventZoneDefined    EventType = "exchange.zone.defined.v1"
	EventIntensitySet   EventType = "exchange.intensity.set.v1"
	EventBidAmended     EventType = "exchange.bid.amended.v1"
	EventOfferAmended   EventType = "exchange.offer.amended.v1"
	EventCreditSet      EventType = "exchange.credit.set.v1"
	EventLimitsSet      EventType = "exchange.limits.set.v1"
	EventTradingHalted  EventType = "exchange.trading.halted.v1"
	EventTradingResumed EventType = "exchange.trading.resumed.v1"
	EventSessionOpened  EventType = "exchange.session.opened.v1"
	EventSessionClosed  EventType = "exchange.session.closed.v1"
)

// FeeSet is the exchange's share of every later lease.
type FeeSet struct {
	Fee BasisPoints `json:"fee_bps"`
}

// AccountOpened is a new account with nothing in it.
type AccountOpened struct {
	Account AccountID `json:"account"`
	Org     OrgID     `json:"org"`
	Name    string    `json:"name"`
}

// FundsMoved is a deposit or a payout, by the type of its event.
type FundsMoved struct {
	Account   AccountID `json:"account"`
	Amount    Money     `json:"amount"`
	Reference string    `json:"reference"`
}

// OfferClosed ends the sale of an offer; its leases go on.
type OfferClosed struct {
	Offer  OfferID     `json:"offer"`
	Reason CloseReason `json:"reason"`
}

// BidPlaced is an accepted bid and what it holds of its consumer's funds.
type BidPlaced struct {
	Bid
	Hold Money `json:"hold"`
}

// BidAmended is an open bid with its new terms. It holds Hold for what is open;
// that is HoldChange more than before, or less where it is below zero.
type BidAmended struct {
	Bid
	Open       Units   `json:"open"`
	Left       Minutes `json:"left_minutes"`
	Hold       Money   `json:"hold"`
	HoldChange Money   `json:"hold_change"`
}

// OfferAmended is an open offer with its new terms.
type OfferAmended struct {
	Offer
}

// IntensitySet is a zone's carbon intensity hour by hour from a minute on.
type IntensitySet struct {
	Zone   ZoneID      `json:"zone"`
	From   Minute      `json:"from"`
	Values []Intensity `json:"values_g_per_kwh"`
}

// BidClosed ends a bid and gives back what its open units held. Each open unit
// still sought Left minutes.
type BidClosed struct {
	Bid      BidID       `json:"bid"`
	Consumer AccountID   `json:"consumer"`
	Reason   CloseReason `json:"reason"`
	Open     Units       `json:"open"`
	Left     Minutes     `json:"left_minutes"`
	Released Money       `json:"released"`
}

// LeaseMatched is a fill. Part of the bid's hold becomes the lease's; Released
// is the part that neither needs any more and that is available again.
type LeaseMatched struct {
	Lease
	// BidOpen is what the bid still seeks after this fill, each unit for BidLeft
	// minutes: the bid's duration, of a splittable bid what its pieces have not
	// covered. Both are zero where the bid is filled.
	BidOpen  Units   `json:"bid_open"`
	BidLeft  Minutes `json:"bid_left_minutes"`
	Released Money   `json:"released"`
}

// LeaseChanged is a step of a lease's life, by the type of its event.
type LeaseChanged struct {
	Lease    LeaseID   `json:"lease"`
	Provider AccountID `json:"provider"`
	Consumer AccountID `json:"consumer"`
}

// LeaseEnded is the end of delivery: completed at or before the planned end,
// failed or interrupted.
type LeaseEnded struct {
	Lease    LeaseID     `json:"lease"`
	Provider AccountID   `json:"provider"`
	Consumer AccountID   `json:"consumer"`
	Status   LeaseStatus `json:"status"`
	// EndedAt is when delivery stopped, at most the planned end. It is before the
	// start where a lease failed before it could begin.
	EndedAt Instant `json:"ended_at"`
	// FreeFrom is the first minute that is not delivered. The units of a completed
	// lease can be sold again from then on; others have left their offer.
	FreeFrom Minute `json:"free_from"`
	// Cause says why a lease failed or was interrupted.
	Cause EndCause `json:"cause,omitempty"`
	// Released is what the lease cannot cost any more, at once; the rest of the
	// hold waits for the settlement. Returned is what of the hold goes back to the
	// bond of Payer, who had put it there.
	Released Money     `json:"released,omitzero"`
	Returned Money     `json:"returned,omitzero"`
	Payer    AccountID `json:"payer,omitempty"`
}

// ChargeKind says what a charge is for.
type ChargeKind string

// The kinds of charge.
const (
	ChargeUsage     ChargeKind = "usage"       // used CPU-hours at the lease's price
	ChargeTakeOrPay ChargeKind = "take_or_pay" // what the agreed minimum is above the use
)

// ChargePosted moves part of a lease's hold to its provider, less the fee.
type ChargePosted struct {
	Lease    LeaseID    `json:"lease"`
	Consumer AccountID  `json:"consumer"`
	Provider AccountID  `json:"provider"`
	Number   int64      `json:"number"` // 1, 2, 3 ... for each lease
	Kind     ChargeKind `json:"kind"`
	Hour     Minute     `json:"hour"` // when the lease-hour begins
	Amount   Money      `json:"amount"`
	Fee      Money      `json:"fee"`
	// Cut is what was asked beyond what a lease that failed or was interrupted
	// still held; it is not owed.
	Cut Money `json:"cut,omitzero"`
}

// LeaseSettled ends a lease's accounts: what was not charged is available again.
type LeaseSettled struct {
	Lease    LeaseID   `json:"lease"`
	Consumer AccountID `json:"consumer"`
	Provider AccountID `json:"provider"`
	Charges  int64     `json:"charges"`
	Charged  Money     `json:"charged"`
	Fee      Money     `json:"fee"`
	Released Money     `json:"released"`
	// Returned goes back to the bond of Payer, of what that had put into the hold.
	Returned Money     `json:"returned,omitzero"`
	Payer    AccountID `json:"payer,omitempty"`
}

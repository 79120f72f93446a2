package corehour

// What the exchange publishes of rules, heartbeats, bonds and disputes.
const (
	EventLeaseRulesSet         EventType = "exchange.lease_rules.set.v1"
	EventLeaseSuspected        EventType = "exchange.lease.suspected.v1"
	EventLeaseRecovered        EventType = "exchange.lease.recovered.v1"
	EventInterruptionAnnounced EventType = "exchange.lease.interruption_announced.v1"
	EventLeaseDisputed         EventType = "exchange.lease.disputed.v1"
	EventDisputeResolved       EventType = "exchange.lease.dispute_resolved.v1"
	EventControlLost           EventType = "exchange.control.lost.v1"
	EventControlRegained       EventType = "exchange.control.regained.v1"
	EventOutageNoticed         EventType = "exchange.outage.noticed.v1"
	EventBondPosted            EventType = "exchange.bond.posted.v1"
	EventBondReleased          EventType = "exchange.bond.released.v1"
	EventSLACredited           EventType = "exchange.sla.credited.v1"
)

// LeaseSuspected is an active lease that has been silent for too long. It goes on.
type LeaseSuspected struct {
	Lease    LeaseID   `json:"lease"`
	Provider AccountID `json:"provider"`
	Consumer AccountID `json:"consumer"`
	// LastHeard is its last heartbeat, or its start where there was none.
	LastHeard Instant `json:"last_heard"`
}

// LeaseRecovered is a suspect lease whose heartbeats have come back.
type LeaseRecovered struct {
	Lease    LeaseID   `json:"lease"`
	Provider AccountID `json:"provider"`
	Consumer AccountID `json:"consumer"`
	// SuspectSince is when it had become suspect.
	SuspectSince Instant `json:"suspect_since"`
}

// InterruptionAnnounced is the notice that an interruptible lease ends at At.
type InterruptionAnnounced struct {
	Lease    LeaseID   `json:"lease"`
	Provider AccountID `json:"provider"`
	Consumer AccountID `json:"consumer"`
	At       Minute    `json:"at"`
}

// LeaseDisputed stops the settlement of a lease that has ended.
type LeaseDisputed struct {
	Lease    LeaseID   `json:"lease"`
	Provider AccountID `json:"provider"`
	Consumer AccountID `json:"consumer"`
	Reason   string    `json:"reason"`
}

// DisputeResolved lets a disputed lease be settled. Credit has gone from the
// provider's bond to the consumer. Status is what the lease had ended as.
type DisputeResolved struct {
	Lease    LeaseID     `json:"lease"`
	Provider AccountID   `json:"provider"`
	Consumer AccountID   `json:"consumer"`
	Status   LeaseStatus `json:"status"`
	Credit   Money       `json:"credit"`
}

// ControlChanged says that so many of the leases whose heartbeats are watched are
// suspect that it is not they who are lost (no lease fails for its silence until
// further notice), or that this is over; by the type of its event.
type ControlChanged struct {
	Suspect int `json:"suspect"`
	Watched int `json:"watched"`
}

// OutageNoticed says that the exchange has carried out nothing between two
// instants; deadlines of leases that fell between them begin again at the second.
type OutageNoticed struct {
	From Instant `json:"from"`
	To   Instant `json:"to"`
}

// BondMoved is what an account has moved between its available funds and its
// bond, by the type of its event.
type BondMoved struct {
	Account   AccountID `json:"account"`
	Amount    Money     `json:"amount"`
	Reference string    `json:"reference"`
}

// SLACredited is what a provider's bond has paid to a consumer for hours that a
// lease did not deliver: a share of their price, up to the bond.
type SLACredited struct {
	Lease       LeaseID     `json:"lease"`
	Provider    AccountID   `json:"provider"`
	Consumer    AccountID   `json:"consumer"`
	Undelivered Money       `json:"undelivered"` // the price of those hours
	Share       BasisPoints `json:"share_bps"`
	Amount      Money       `json:"amount"`
}

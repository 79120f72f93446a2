package corehour

// Offer is a provider's capacity as it was placed.
type Offer struct {
	ID       OfferID   `json:"id"`
	Product  ProductID `json:"product"`
	Provider AccountID `json:"provider"`
	Org      OrgID     `json:"org"`
	Region   RegionID  `json:"region"`
	Units    Units     `json:"units"`
	From     Minute    `json:"from"`
	To       Minute    `json:"to"`
	Price    Price     `json:"price"`
	// Carbon is what the provider asserts a unit-hour emits, at any hour. An offer
	// that states its Energy instead emits what the grid Zone does in the very
	// hours of a lease, and its Carbon is zero.
	Carbon        CarbonRate `json:"carbon_g"`
	Energy        Energy     `json:"energy_wh,omitempty"`
	Zone          ZoneID     `json:"zone,omitempty"`
	SLA           SLA        `json:"sla"`
	Interruptible bool       `json:"interruptible"`
	// MinFill is the fewest units of one lease.
	MinFill Units `json:"min_fill"`
	// MinDuration is the shortest lease in minutes.
	MinDuration Minutes `json:"min_duration_minutes"`
	// TakeOrPay is the share of a lease billed even if unused.
	TakeOrPay BasisPoints `json:"take_or_pay_bps"`
	// PostOnly offers are refused where they would trade at once.
	PostOnly bool   `json:"post_only,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	// Session takes the offer back when it ends.
	Session  SessionID `json:"session,omitempty"`
	PlacedAt Instant   `json:"placed_at"`
}

// Bid is a consumer's need as it was placed.
type Bid struct {
	ID            BidID     `json:"id"`
	Product       ProductID `json:"product"`
	Consumer      AccountID `json:"consumer"`
	Org           OrgID     `json:"org"`
	Units         Units     `json:"units"`
	Duration      Minutes   `json:"duration_minutes"`
	EarliestStart Minute    `json:"earliest_start"`
	LatestEnd     Minute    `json:"latest_end"`
	// Limit is compared with the effective price.
	Limit Price `json:"limit_price"`
	// Regions, Countries and Continents restrict where it may run. A place is
	// allowed that any of the three allows, or any where none of them has an allow
	// list; what one of them denies is denied.
	Regions    Allowed[RegionID] `json:"regions"`
	Countries  Allowed[string]   `json:"countries"`
	Continents Allowed[string]   `json:"continents"`
	// Providers restricts who may run it; an empty allow list allows all.
	Providers Allowed[AccountID] `json:"providers"`
	// MaxCarbon caps the offer's carbon; nil is no cap.
	MaxCarbon     *CarbonRate `json:"max_carbon_g,omitempty"`
	CarbonPrice   CarbonPrice `json:"carbon_price"`
	MinSLA        SLA         `json:"min_sla"`
	Interruptible bool        `json:"accepts_interruptible"`
	// MaxTakeOrPay is the largest share billed even if unused that the bid accepts.
	MaxTakeOrPay BasisPoints `json:"max_take_or_pay_bps"`
	// MinFill is the fewest units of one lease; equal to Units it is all-or-none.
	MinFill   Units `json:"min_fill"`
	MaxLeases int   `json:"max_leases"`
	// MinPiece, where above zero, lets the bid take its duration in at most
	// MaxLeases pieces of at least so many minutes, one after another, each with
	// all its units.
	MinPiece Minutes `json:"min_piece_minutes,omitempty"`
	// Group is the first bid of the exclusive group that this one belongs to: the
	// one that fills completely cancels the others.
	Group BidID `json:"group,omitzero"`
	// PostOnly bids are refused where they would trade at once.
	PostOnly    bool        `json:"post_only,omitempty"`
	TimeInForce TimeInForce `json:"time_in_force"`
	// ExpiresAt ends a gtt bid.
	ExpiresAt Instant `json:"expires_at,omitzero"`
	ClientID  string  `json:"client_id,omitempty"`
	// Session takes the bid back when it ends.
	Session  SessionID `json:"session,omitempty"`
	PlacedAt Instant   `json:"placed_at"`
	// CoverInterrupted asks for cover also where an interruptible lease ends before
	// its time; a firm one that fails is covered without being asked.
	CoverInterrupted bool `json:"cover_interrupted,omitempty"`
	// CoverOf is the lease whose lost hours the exchange bids for with this bid;
	// zero for a bid that its consumer placed.
	CoverOf LeaseID `json:"cover_of,omitzero"`
}

// Allowed is a set given by what is in it or what is not. Deny wins over Allow.
type Allowed[T ~string] struct {
	Allow []T `json:"allow,omitempty" cbor:"1,keyasint,omitempty"`
	Deny  []T `json:"deny,omitempty" cbor:"2,keyasint,omitempty"`
}

// Limits of orders.
const (
	// MaxLeasesPerBid bounds how many leases one bid may become.
	MaxLeasesPerBid = 1_000
	// MaxListed bounds an allow or deny list.
	MaxListed = 256
)

// Lease is one match of a bid with an offer.
type Lease struct {
	ID            LeaseID    `json:"id"`
	Product       ProductID  `json:"product"`
	Bid           BidID      `json:"bid"`
	Offer         OfferID    `json:"offer"`
	Consumer      AccountID  `json:"consumer"`
	ConsumerOrg   OrgID      `json:"consumer_org"`
	Provider      AccountID  `json:"provider"`
	ProviderOrg   OrgID      `json:"provider_org"`
	Region        RegionID   `json:"region"`
	Units         Units      `json:"units"`
	Start         Minute     `json:"start"`
	End           Minute     `json:"end"`
	Price         Price      `json:"price"`
	Carbon        CarbonRate `json:"carbon_g"`
	SLA           SLA        `json:"sla"`
	Interruptible bool       `json:"interruptible"`
	// TakeOrPay and Fee are fixed at the match, whatever changes later.
	TakeOrPay BasisPoints `json:"take_or_pay_bps"`
	Fee       BasisPoints `json:"fee_bps"`
	// Hold is what the lease may cost at most: Cost(Price, Units, End-Start).
	Hold      Money   `json:"hold"`
	MatchedAt Instant `json:"matched_at"`
	// AcceptBy and StartBy are when the lease fails unless its provider has
	// accepted or started it; zero where there is no such deadline.
	AcceptBy Instant `json:"accept_by,omitzero"`
	StartBy  Instant `json:"start_by,omitzero"`
	// CoverOf is the lease that failed and whose hours this one has taken over.
	// Where it is dearer than the consumer's price, Payer, the provider that
	// failed, has put FromBond into its Hold.
	CoverOf  LeaseID   `json:"cover_of,omitzero"`
	Payer    AccountID `json:"payer,omitempty"`
	FromBond Money     `json:"from_bond,omitzero"`
}

// LeaseStatus is where a lease stands in its life.
type LeaseStatus string

// The life of a lease. matched -> provisioning -> active -> completed -> settled.
// It ends as failed where its provider did not do what it promised, and as
// interrupted where an interruptible one was taken back with notice. While it is
// disputed it is not settled.
const (
	StatusMatched      LeaseStatus = "matched"
	StatusProvisioning LeaseStatus = "provisioning"
	StatusActive       LeaseStatus = "active"
	StatusCompleted    LeaseStatus = "completed"
	StatusFailed       LeaseStatus = "failed"
	StatusInterrupted  LeaseStatus = "interrupted"
	StatusDisputed     LeaseStatus = "disputed"
	StatusSettled      LeaseStatus = "settled"
)

// EndCause says why a lease failed or was interrupted.
type EndCause string

// The causes for which leases end before they should.
const (
	CauseNotAccepted   EndCause = "not_accepted"   // not acknowledged in time
	CauseNotStarted    EndCause = "not_started"    // not started in time, or never
	CauseHeartbeatLost EndCause = "heartbeat_lost" // silent for too long
	CauseByProvider    EndCause = "by_provider"    // the provider says that it cannot deliver
	CauseInterrupted   EndCause = "interrupted"    // taken back with notice
)

// Over reports whether delivery has ended in this status.
func (s LeaseStatus) Over() bool {
	switch s {
	case StatusMatched, StatusProvisioning, StatusActive:
		return false
	}
	return true
}

// EndsDelivery reports whether delivery can end in this status.
func (s LeaseStatus) EndsDelivery() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusInterrupted
}

// CloseReason says why an order is no longer open.
type CloseReason string

// The reasons for which orders close.
const (
	CloseFilled        CloseReason = "filled"         // nothing is left open
	CloseCancelled     CloseReason = "cancelled"      // its owner took it back
	CloseExpired       CloseReason = "expired"        // a gtt bid reached its time
	CloseWindowPassed  CloseReason = "window_passed"  // no start is left in its window
	CloseUnfilled      CloseReason = "unfilled"       // the rest of an ioc or fok bid
	CloseMaxLeases     CloseReason = "max_leases"     // it became as many leases as it allows
	CloseSiblingFilled CloseReason = "sibling_filled" // another bid of its exclusive group filled completely
	CloseHalted        CloseReason = "halted"         // a halt took it back
	CloseSessionEnded  CloseReason = "session_ended"  // the session that it was placed in is over
)

package exchange

import "github.com/corehour/corehour"

// Reply is the state machine's answer to one command. A Code other than empty
// says why the command was rejected; then nothing has changed. A reply to a
// command with a client id or reference is kept and given again to a repeat.
type Reply struct {
	Code    corehour.Code    `cbor:"1,keyasint,omitempty"`
	Field   string           `cbor:"2,keyasint,omitempty"`
	Message string           `cbor:"3,keyasint,omitempty"`
	Offer   corehour.OfferID `cbor:"4,keyasint,omitempty"`
	Bid     corehour.BidID   `cbor:"5,keyasint,omitempty"`
	Lease   corehour.LeaseID `cbor:"6,keyasint,omitempty"`
	// Fills are what a bid or an offer met at once.
	Fills []Fill `cbor:"7,keyasint,omitempty"`
	// Open is what of an order is still unfilled and in the book: zero where it
	// is filled or closed.
	Open corehour.Units `cbor:"8,keyasint,omitempty"`
	// Closed says why an order is not in the book any more.
	Closed corehour.CloseReason `cbor:"9,keyasint,omitempty"`
	// Hold is what a bid holds after its fills, over open units and leases.
	Hold corehour.Money `cbor:"10,keyasint,omitempty"`
	// Left is how many minutes of its duration a splittable bid still seeks; zero
	// for other bids.
	Left corehour.Minutes `cbor:"11,keyasint,omitempty"`
	// Members answers for each bid of a group in the order of the command. One
	// that was not placed, because one before it filled, has no Bid and is Closed
	// with CloseSiblingFilled; a post-only one that would have traded has a Code.
	Members []Reply `cbor:"12,keyasint,omitempty"`
	// Cancelled is how many orders a CancelAll, a Halt or the end of a session has
	// closed, More whether others are left.
	Cancelled int  `cbor:"13,keyasint,omitempty"`
	More      bool `cbor:"14,keyasint,omitempty"`
	// Until is when a session ends where no heartbeat comes before; zero is never.
	Until corehour.Instant `cbor:"20,keyasint,omitempty"`
	// NotRunning are the leases of a heartbeat that are not the provider's active
	// ones; the others have been heard.
	NotRunning []corehour.LeaseID `cbor:"30,keyasint,omitempty"`
	// Repeat is set on the answer to a repeated command; it is not kept.
	Repeat bool `cbor:"-"`
}

// Fill is a lease that came of the command.
type Fill struct {
	Lease    corehour.LeaseID    `cbor:"1,keyasint" json:"lease,omitzero"`
	Bid      corehour.BidID      `cbor:"2,keyasint" json:"bid"`
	Offer    corehour.OfferID    `cbor:"3,keyasint" json:"offer"`
	Provider corehour.AccountID  `cbor:"4,keyasint" json:"provider"`
	Region   corehour.RegionID   `cbor:"5,keyasint" json:"region"`
	Units    corehour.Units      `cbor:"6,keyasint" json:"units"`
	Start    corehour.Minute     `cbor:"7,keyasint" json:"start"`
	End      corehour.Minute     `cbor:"8,keyasint" json:"end"`
	Price    corehour.Price      `cbor:"9,keyasint" json:"price"`
	Carbon   corehour.CarbonRate `cbor:"10,keyasint" json:"carbon_g"`
}

// Rejected reports whether the command changed nothing because a rule refused it.
func (r *Reply) Rejected() bool { return r.Code != "" }

// passing reports whether a rejection says only that it is too early. It is not
// kept: the same command may do better under the same name (ADR 0017).
func (r *Reply) passing() bool {
	switch r.Code {
	case CodeOrderRateLimit, CodeTradingHalted, CodeAccountHalted, CodeProviderHalted:
		return true
	}
	return false
}

// Rejection codes. They are stable.
const (
	CodeUnknownProduct    corehour.Code = "unknown_product"
	CodeUnknownRegion     corehour.Code = "unknown_region"
	CodeUnknownAccount    corehour.Code = "unknown_account"
	CodeUnknownOffer      corehour.Code = "unknown_offer"
	CodeUnknownBid        corehour.Code = "unknown_bid"
	CodeUnknownLease      corehour.Code = corehour.CodeUnknownLease
	CodeAccountExists     corehour.Code = "account_exists"
	CodeRegionExists      corehour.Code = "region_exists"
	CodeKeyReused         corehour.Code = corehour.CodeKeyReused
	CodeOutOfRange        corehour.Code = "out_of_range"
	CodeOffTick           corehour.Code = "price_off_tick"
	CodeWindowTooShort    corehour.Code = "window_too_short"
	CodeWindowPassed      corehour.Code = "window_passed"
	CodeExpired           corehour.Code = "already_expired"
	CodeInsufficientFunds corehour.Code = "insufficient_funds"
	CodeTooLarge          corehour.Code = "notional_too_large"
	CodeTooMany           corehour.Code = "too_many"
	CodeClosed            corehour.Code = "already_closed"
	CodeWrongStatus       corehour.Code = "wrong_lease_status"
	CodeChargeGap         corehour.Code = "charge_out_of_order"
	CodeChargeTooLarge    corehour.Code = "charge_exceeds_hold"
	// CodeUnknownZone is a grid zone that is not defined.
	CodeUnknownZone corehour.Code = "unknown_zone"
	// CodeWouldTrade is a post-only order that would have met another at once.
	CodeWouldTrade corehour.Code = "would_trade"
	// CodeSold is an amended offer that does not cover what is sold of it.
	CodeSold corehour.Code = "already_sold"
	// CodePiecesTaken is a change of the units of a splittable bid that has pieces.
	CodePiecesTaken corehour.Code = "pieces_taken"
	// CodeExclusive is two fields of which only one may be given.
	CodeExclusive corehour.Code = "mutually_exclusive"
	// Limits of an account (corehour.Limits), each named by its field.
	CodeOrderUnitsLimit    corehour.Code = "order_units_limit"
	CodeOrderNotionalLimit corehour.Code = "order_notional_limit"
	CodeOpenOrdersLimit    corehour.Code = "open_orders_limit"
	CodeOrderRateLimit     corehour.Code = "order_rate_limit"
	CodePriceCollar        corehour.Code = "price_collar"
	CodeDailySpendLimit    corehour.Code = "daily_spend_limit"
	// Halts that are in force.
	CodeTradingHalted  corehour.Code = "trading_halted"
	CodeAccountHalted  corehour.Code = "account_halted"
	CodeProviderHalted corehour.Code = "provider_halted"
	// CodeNotYours is a halt that only the operator may set or end.
	CodeNotYours corehour.Code = "not_yours"
	// CodeUnknownSession is a session that is not open.
	CodeUnknownSession corehour.Code = "unknown_session"
	// CodeSessionExists is a session that is open with other terms.
	CodeSessionExists corehour.Code = "session_exists"
	// CodeNotInterruptible is an interruption of a firm lease.
	CodeNotInterruptible corehour.Code = "lease_is_firm"
	// CodeNoticeTooShort is an interruption announced too late.
	CodeNoticeTooShort corehour.Code = "notice_too_short"
	// CodeBondNeeded is a bond that what the provider delivers, or failed to
	// deliver, needs.
	CodeBondNeeded corehour.Code = "bond_needed"
	// CodeCoverBid is an amendment of a bid that the exchange placed.
	CodeCoverBid corehour.Code = "cover_bid"
	// CodeDisputed is a settlement of a lease that is disputed.
	CodeDisputed corehour.Code = "disputed"
)

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
	// Repeat is set on the answer to a repeated command; it is not kept.
	Repeat bool `cbor:"-"`
}

// Fill is a lease that came of the command.
type Fill struct {
	Lease    corehour.LeaseID    `cbor:"1,keyasint"`
	Bid      corehour.BidID      `cbor:"2,keyasint"`
	Offer    corehour.OfferID    `cbor:"3,keyasint"`
	Provider corehour.AccountID  `cbor:"4,keyasint"`
	Region   corehour.RegionID   `cbor:"5,keyasint"`
	Units    corehour.Units      `cbor:"6,keyasint"`
	Start    corehour.Minute     `cbor:"7,keyasint"`
	End      corehour.Minute     `cbor:"8,keyasint"`
	Price    corehour.Price      `cbor:"9,keyasint"`
	Carbon   corehour.CarbonRate `cbor:"10,keyasint"`
}

// Rejected reports whether the command changed nothing because a rule refused it.
func (r *Reply) Rejected() bool { return r.Code != "" }

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
)

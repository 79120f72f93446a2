package exchange

import "github.com/corehour/corehour"

// Kind numbers the commands. The numbers are persisted in the log and never
// reused.
type Kind uint8

// The commands of the log.
const (
	KindTick          Kind = 1
	KindDefineProduct Kind = 2
	KindDefineRegion  Kind = 3
	KindSetFee        Kind = 4
	KindOpenAccount   Kind = 5
	KindDeposit       Kind = 6
	KindPayOut        Kind = 7
	KindPlaceOffer    Kind = 8
	KindCancelOffer   Kind = 9
	KindPlaceBid      Kind = 10
	KindCancelBid     Kind = 11
	KindAcceptLease   Kind = 12
	KindStartLease    Kind = 13
	KindEndLease      Kind = 14
	KindPostCharge    Kind = 15
	KindSettleLease   Kind = 16
	KindDefineZone    Kind = 17
	KindSetIntensity  Kind = 18
	KindPlaceBidGroup Kind = 19
	KindAmendBid      Kind = 20
	KindAmendOffer    Kind = 21
	KindCancelAll     Kind = 22
	KindSetCredit     Kind = 23
	KindSetLimits     Kind = 24
	KindHalt          Kind = 25
	KindResume        Kind = 26
	KindOpenSession   Kind = 27
	KindHeartbeat     Kind = 28
	KindCloseSession  Kind = 29
)

// Command is what anybody may ask of the state machine. Which account asks is
// part of the command, because the state machine checks ownership.
type Command interface {
	kind() Kind
}

// Tick lets time pass: what has expired by now closes, leases whose end has
// come complete.
type Tick struct{}

// DefineProduct adds a product or changes its description.
type DefineProduct struct {
	Product corehour.Product `cbor:"1,keyasint"`
}

// DefineRegion adds a region. A region's place on earth never changes.
type DefineRegion struct {
	Region corehour.Region `cbor:"1,keyasint"`
}

// SetFee sets the exchange's share of leases matched from now on.
type SetFee struct {
	Fee corehour.BasisPoints `cbor:"1,keyasint"`
}

// OpenAccount opens an account. Opening it again with the same organisation and
// name changes nothing and succeeds.
type OpenAccount struct {
	Account corehour.AccountID `cbor:"1,keyasint"`
	Org     corehour.OrgID     `cbor:"2,keyasint"`
	Name    string             `cbor:"3,keyasint"`
}

// Deposit adds to an account's available funds, once per Reference.
type Deposit struct {
	Account   corehour.AccountID `cbor:"1,keyasint"`
	Amount    corehour.Money     `cbor:"2,keyasint"`
	Reference string             `cbor:"3,keyasint"`
}

// PayOut takes from an account's available funds, once per Reference.
type PayOut struct {
	Account   corehour.AccountID `cbor:"1,keyasint"`
	Amount    corehour.Money     `cbor:"2,keyasint"`
	Reference string             `cbor:"3,keyasint"`
}

// AcceptLease is the provider's word that it will deliver: matched -> provisioning.
type AcceptLease struct {
	Provider corehour.AccountID `cbor:"1,keyasint"`
	Lease    corehour.LeaseID   `cbor:"2,keyasint"`
}

// StartLease is the provider's word that it delivers: provisioning -> active.
type StartLease struct {
	Provider corehour.AccountID `cbor:"1,keyasint"`
	Lease    corehour.LeaseID   `cbor:"2,keyasint"`
}

// EndLease ends delivery early, at an instant within the lease that is not in
// the future: active -> completed. Provider or consumer may end it. Units are
// free again from the next whole minute.
type EndLease struct {
	Account corehour.AccountID `cbor:"1,keyasint"`
	Lease   corehour.LeaseID   `cbor:"2,keyasint"`
	// EndedAt zero is now.
	EndedAt corehour.Instant `cbor:"3,keyasint,omitempty"`
}

// PostCharge moves part of a lease's hold to its provider, less the fee.
// Charges of a lease are numbered from 1; a number that was already posted
// with the same content is a repeat and changes nothing.
type PostCharge struct {
	Lease  corehour.LeaseID    `cbor:"1,keyasint"`
	Number int64               `cbor:"2,keyasint"`
	Kind   corehour.ChargeKind `cbor:"3,keyasint"`
	Hour   corehour.Minute     `cbor:"4,keyasint"`
	Amount corehour.Money      `cbor:"5,keyasint"`
}

// SettleLease closes the accounts of a lease that has ended, after Charges
// charges were posted, and gives back the rest of its hold.
type SettleLease struct {
	Lease   corehour.LeaseID `cbor:"1,keyasint"`
	Charges int64            `cbor:"2,keyasint"`
}

// DefineZone adds a grid zone or changes its mean intensity, which stands for
// every hour that no curve is given for.
type DefineZone struct {
	Zone corehour.Zone `cbor:"1,keyasint"`
}

// SetIntensity gives a zone's carbon intensity hour by hour, from a minute on the
// hour: 1 to corehour.MaxCurveHours values that reach at most that many hours
// beyond the present one, of which one at least is not over.
type SetIntensity struct {
	Zone   corehour.ZoneID      `cbor:"1,keyasint"`
	From   corehour.Minute      `cbor:"2,keyasint"`
	Values []corehour.Intensity `cbor:"3,keyasint"`
}

func (Tick) kind() Kind          { return KindTick }
func (DefineProduct) kind() Kind { return KindDefineProduct }
func (DefineRegion) kind() Kind  { return KindDefineRegion }
func (SetFee) kind() Kind        { return KindSetFee }
func (OpenAccount) kind() Kind   { return KindOpenAccount }
func (Deposit) kind() Kind       { return KindDeposit }
func (PayOut) kind() Kind        { return KindPayOut }
func (PlaceOffer) kind() Kind    { return KindPlaceOffer }
func (CancelOffer) kind() Kind   { return KindCancelOffer }
func (PlaceBid) kind() Kind      { return KindPlaceBid }
func (CancelBid) kind() Kind     { return KindCancelBid }
func (AcceptLease) kind() Kind   { return KindAcceptLease }
func (StartLease) kind() Kind    { return KindStartLease }
func (EndLease) kind() Kind      { return KindEndLease }
func (PostCharge) kind() Kind    { return KindPostCharge }
func (SettleLease) kind() Kind   { return KindSettleLease }
func (DefineZone) kind() Kind    { return KindDefineZone }
func (SetIntensity) kind() Kind  { return KindSetIntensity }
func (PlaceBidGroup) kind() Kind { return KindPlaceBidGroup }
func (AmendBid) kind() Kind      { return KindAmendBid }
func (AmendOffer) kind() Kind    { return KindAmendOffer }
func (CancelAll) kind() Kind     { return KindCancelAll }

package orderbook

import "github.com/corehour/corehour"

// Offer is capacity as the book sees it: names are interned to numbers by the
// caller, who also numbers arrivals.
type Offer struct {
	ID corehour.OfferID
	// Arrival orders bids and offers of one book by when they came; it is unique
	// and rising. The lower one of a bid and an offer sets the price of their fill.
	Arrival  uint64
	Provider ProviderIndex
	Org      OrgIndex
	Region   RegionIndex
	Units    corehour.Units
	// The delivery window is [From, To).
	From, To      corehour.Minute
	Price         corehour.Price // a whole number of ticks, above zero
	Carbon        corehour.CarbonRate
	SLA           corehour.SLA
	Interruptible bool
	MinFill       corehour.Units   // at least 1, at most Units
	MinDuration   corehour.Minutes // at least 1
}

// Bid is a need as the book sees it.
type Bid struct {
	ID            corehour.BidID
	Arrival       uint64
	Org           OrgIndex
	Units         corehour.Units // what is still open
	Duration      corehour.Minutes
	EarliestStart corehour.Minute
	LatestEnd     corehour.Minute
	Limit         corehour.Price // a whole number of ticks, above zero
	Regions       RegionSet
	Providers     ProviderSet
	MaxCarbon     corehour.CarbonRate // NoCarbonCap where there is none
	CarbonPrice   corehour.CarbonPrice
	MinSLA        corehour.SLA
	Interruptible bool // accepts interruptible capacity
	// MinFill is the fewest units of one lease; AllOrNone makes it all of them,
	// from any number of offers in the same minute.
	MinFill     corehour.Units
	AllOrNone   bool
	MaxLeases   int // how many more leases it may become
	TimeInForce corehour.TimeInForce
}

// Interned names. The caller keeps the tables.
type (
	// ProviderIndex numbers a provider's account.
	ProviderIndex uint32
	// OrgIndex numbers an organisation.
	OrgIndex uint32
	// RegionIndex numbers a region, below corehour.MaxRegions.
	RegionIndex uint16
)

// NoCarbonCap is the MaxCarbon of a bid without a cap.
const NoCarbonCap = corehour.MaxCarbonRate

// RegionBits is a set of regions, one bit each.
type RegionBits [corehour.MaxRegions / 64]uint64

// RegionSet is what a bid allows: all of Allow (everything where AllowAll), less Deny.
type RegionSet struct {
	AllowAll    bool
	Allow, Deny RegionBits
}

// ProviderSet is what a bid allows: all of Allow (everything where AllowAll), less
// Deny. Both are sorted.
type ProviderSet struct {
	AllowAll    bool
	Allow, Deny []ProviderIndex
}

// Fill is one match of a bid with an offer.
type Fill struct {
	Bid    corehour.BidID
	Offer  corehour.OfferID
	Units  corehour.Units
	Start  corehour.Minute
	End    corehour.Minute
	Price  corehour.Price // what is paid per unit-hour
	Carbon corehour.CarbonRate
}

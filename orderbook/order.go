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
	Carbon        Carbon
	SLA           corehour.SLA
	Interruptible bool
	MinFill       corehour.Units   // at least 1, at most Units
	MinDuration   corehour.Minutes // at least 1
	TakeOrPay     corehour.BasisPoints
	// PostOnly offers are refused where they would trade at once.
	PostOnly bool
}

// Carbon is what a unit-hour of an offer emits: a fixed figure, or its energy at
// the intensity that a grid zone has in the very hours.
type Carbon struct {
	Zone   ZoneIndex           // NoZone where Rate is asserted
	Energy corehour.Energy     // of a unit-hour, where there is a Zone
	Rate   corehour.CarbonRate // where there is no Zone
}

// Bid is a need as the book sees it.
type Bid struct {
	ID      corehour.BidID
	Arrival uint64
	Org     OrgIndex
	Units   corehour.Units // what is still open
	// Duration of each lease; of a splittable bid, all that is still to be taken.
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
	MaxTakeOrPay  corehour.BasisPoints
	// MinFill is the fewest units of one lease; AllOrNone makes it all of them,
	// from any number of offers in the same minute.
	MinFill     corehour.Units
	AllOrNone   bool
	MaxLeases   int // how many more leases it may become
	TimeInForce corehour.TimeInForce
	// MinPiece above zero makes the bid splittable: it takes its Duration in
	// pieces of at least MinPiece, at most MaxLeases of them, each with all its
	// Units from one offer, no two at the same time. MinPiece <= Duration.
	MinPiece corehour.Minutes
	// Taken are the times of the pieces that a splittable bid has already,
	// sorted; none but for a bid that is restored.
	Taken []Span
	// Group names an exclusive group, zero for none: the bid of it that fills
	// completely takes its siblings out of the book.
	Group corehour.BidID
	// PostOnly bids are refused where they would trade at once.
	PostOnly bool
}

// Span is [From, To).
type Span struct {
	From, To corehour.Minute
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
	Price  corehour.Price      // what is paid per unit-hour
	Carbon corehour.CarbonRate // over the hours of this fill
}

// BidRef and OfferRef name an order in its book, so that finding it again costs
// no search. A reference to what has left the book finds nothing, also when its
// place was given to another order. They are not persisted.
type (
	// BidRef names a resting bid; zero is none.
	BidRef uint64
	// OfferRef names an offer; zero is none.
	OfferRef uint64
)

// Outcome is what a command did. Its slices are valid until the next command.
type Outcome struct {
	// Fills in the order in which they were made.
	Fills []Fill
	// Dropped bids left the book because one of their exclusive group filled
	// completely.
	Dropped []corehour.BidID
	// Refused is a post-only order that would have traded; nothing has changed.
	Refused bool
}

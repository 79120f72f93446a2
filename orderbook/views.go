package orderbook

import "github.com/corehour/corehour"

// Condition names a condition of a bid that can keep it from filling.
type Condition uint8

// The conditions that Explain tries to relax, one at a time.
const (
	ConditionPrice         Condition = 1
	ConditionCarbon        Condition = 2
	ConditionRegion        Condition = 3
	ConditionWindow        Condition = 4
	ConditionSize          Condition = 5
	ConditionProvider      Condition = 6
	ConditionSLA           Condition = 7
	ConditionInterruptible Condition = 8
	ConditionTakeOrPay     Condition = 9
)

// Explanation says what a bid would get if it came now and, where that is not
// everything, which single changes of it would get everything.
type Explanation struct {
	Fills  []Fill
	Filled bool // the fills are all that the bid asks for
	// Changes are in the order of their conditions; a condition that is not among
	// them does not block alone.
	Changes []Change
}

// Change is the smallest change of one condition with which the whole bid would
// fill now. Only the field of its condition is set.
type Change struct {
	Condition    Condition
	Limit        corehour.Price       // price: the lowest limit that suffices
	MaxCarbon    corehour.CarbonRate  // carbon: the lowest cap that suffices
	Region       RegionIndex          // region: the one that makes it cheapest
	LatestEnd    corehour.Minute      // window: the earliest end that suffices
	Units        corehour.Units       // size: the most units that fill
	Provider     ProviderIndex        // provider: the one that makes it cheapest
	MinSLA       corehour.SLA         // SLA: the highest tier that suffices
	MaxTakeOrPay corehour.BasisPoints // take-or-pay: the lowest share that suffices
}

// Level is all orders at one price.
type Level struct {
	Price  corehour.Price
	Units  corehour.Units
	Orders int
}

// DepthQuery asks for the best levels of a region over [From, To), as a bid for
// exactly these minutes with a carbon price sees them.
type DepthQuery struct {
	Region      RegionIndex
	CarbonPrice corehour.CarbonPrice
	From, To    corehour.Minute
	Levels      int // at most so many, at least 1
}

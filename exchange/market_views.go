package exchange

import "github.com/corehour/corehour"

// Limits of one question about the market.
const (
	// MaxDepthLevels bounds the levels of each side of one region's depth.
	MaxDepthLevels = 100
	// MaxHeatHours and MaxHeatRegions bound a heat map: a week by 32 regions.
	MaxHeatHours   = 168
	MaxHeatRegions = 32
)

// Quote is what a bid would get if it came now.
type Quote struct {
	// Fills have no lease, because none was made.
	Fills []Fill `json:"fills"`
	// Filled says that the fills are all that the bid asks for; otherwise Open
	// units would still seek Left minutes each.
	Filled bool             `json:"filled"`
	Open   corehour.Units   `json:"open"`
	Left   corehour.Minutes `json:"left_minutes"`
	// Cost is what the fills cost at most, Hold what the bid would hold when it
	// is placed.
	Cost corehour.Money `json:"cost"`
	Hold corehour.Money `json:"hold"`
}

// Explanation is a quote and, where the bid would not fill, which single changes
// of it would fill it now.
type Explanation struct {
	Quote
	// Changes are in a fixed order; a condition that is not among them does not
	// block alone.
	Changes []Change `json:"changes"`
}

// Condition names a condition of a bid.
type Condition string

// The conditions that Explain tries to relax, one at a time.
const (
	ConditionPrice         Condition = "price"
	ConditionCarbon        Condition = "carbon"
	ConditionRegion        Condition = "region"
	ConditionWindow        Condition = "window"
	ConditionSize          Condition = "size"
	ConditionProvider      Condition = "provider"
	ConditionSLA           Condition = "sla"
	ConditionInterruptible Condition = "interruptible"
	ConditionTakeOrPay     Condition = "take_or_pay"
)

// Change is the smallest change of one condition with which the whole bid would
// fill now. Only the field of its condition is set; interruptible has none.
type Change struct {
	Condition    Condition             `json:"condition"`
	Limit        *corehour.Price       `json:"limit_price,omitempty"`         // price: the lowest that suffices
	MaxCarbon    *corehour.CarbonRate  `json:"max_carbon_g,omitempty"`        // carbon: the lowest that suffices
	Region       corehour.RegionID     `json:"region,omitempty"`              // region: to be allowed, the one that makes it cheapest
	LatestEnd    *corehour.Minute      `json:"latest_end,omitempty"`          // window: the earliest that suffices
	Units        *corehour.Units       `json:"units,omitempty"`               // size: the most that fill
	Provider     corehour.AccountID    `json:"provider,omitempty"`            // provider: to be allowed, the one that makes it cheapest
	MinSLA       *corehour.SLA         `json:"min_sla,omitempty"`             // sla: the highest that suffices
	MaxTakeOrPay *corehour.BasisPoints `json:"max_take_or_pay_bps,omitempty"` // take_or_pay: the lowest that suffices
}

// Level is all orders at one price: of offers the effective one for the carbon
// price of the question, of bids their limit.
type Level struct {
	Price  corehour.Price `json:"price"`
	Units  corehour.Units `json:"units"`
	Orders int            `json:"orders"`
}

// DepthQuery asks for the levels of a region over [From, To), as a bid for
// exactly these minutes with a carbon price sees them. Zero From is the next
// whole minute, zero To an hour after From, zero Levels is MaxDepthLevels.
type DepthQuery struct {
	Product     corehour.ProductID
	Region      corehour.RegionID
	CarbonPrice corehour.CarbonPrice
	From, To    corehour.Minute
	Levels      int
}

// Depth is both sides of a region's book: offers from the lowest effective
// price, bids from the highest limit.
type Depth struct {
	Product     corehour.ProductID   `json:"product"`
	Region      corehour.RegionID    `json:"region"`
	CarbonPrice corehour.CarbonPrice `json:"carbon_price"`
	From        corehour.Minute      `json:"from"`
	To          corehour.Minute      `json:"to"`
	Offers      []Level              `json:"offers"`
	Bids        []Level              `json:"bids"`
}

// TopQuery asks for the best level of both sides in every region over [From, To);
// zeros are as in DepthQuery.
type TopQuery struct {
	Product     corehour.ProductID
	CarbonPrice corehour.CarbonPrice
	From, To    corehour.Minute
}

// Top is the best of each side in a region; nil where there is none.
type Top struct {
	Region corehour.RegionID `json:"region"`
	Offer  *Level            `json:"offer"`
	Bid    *Level            `json:"bid"`
}

// TopOfBook is the best of each side in every region, in the order of their
// definition.
type TopOfBook struct {
	Product     corehour.ProductID   `json:"product"`
	CarbonPrice corehour.CarbonPrice `json:"carbon_price"`
	From        corehour.Minute      `json:"from"`
	To          corehour.Minute      `json:"to"`
	Regions     []Top                `json:"regions"`
}

// HeatQuery asks for the best offers hour by hour. From is on the hour, zero is
// the present hour; zero Hours is 24; no Regions are the first MaxHeatRegions.
type HeatQuery struct {
	Product     corehour.ProductID
	CarbonPrice corehour.CarbonPrice
	From        corehour.Minute
	Hours       int
	Regions     []corehour.RegionID
}

// HeatMap has a row for each region and in it a cell for each hour.
type HeatMap struct {
	Product     corehour.ProductID   `json:"product"`
	CarbonPrice corehour.CarbonPrice `json:"carbon_price"`
	From        corehour.Minute      `json:"from"`
	Hours       int                  `json:"hours"`
	Rows        []HeatRow            `json:"rows"`
}

// HeatRow is one region. A cell is the best level of offers for that whole hour
// (of the present hour, for what is left of it), nil where there is none.
type HeatRow struct {
	Region corehour.RegionID `json:"region"`
	Cells  []*Level          `json:"cells"`
}

// IntensityCurve is what is known of a grid zone: a value for each hour from
// From, and the mean for all others.
type IntensityCurve struct {
	corehour.Zone
	From   corehour.Minute      `json:"from"`
	Values []corehour.Intensity `json:"values_g_per_kwh"`
}

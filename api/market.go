package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// Level is all orders at one price.
type Level struct {
	Price  corehour.Price `json:"price" doc:"Of offers the effective price, with their carbon at the carbon price of the question; of bids their limit. Per unit-hour."`
	Units  corehour.Units `json:"units" doc:"Of offers what is free over all the minutes asked for; of bids what is open."`
	Orders int            `json:"orders" doc:"How many orders these are."`
}

// Depth is both sides of a region's book.
type Depth struct {
	Product     corehour.ProductID   `json:"product"`
	Region      corehour.RegionID    `json:"region"`
	CarbonPrice corehour.CarbonPrice `json:"carbon_price"`
	From        corehour.Minute      `json:"from"`
	To          corehour.Minute      `json:"to"`
	Offers      []Level              `json:"offers" doc:"From the lowest effective price."`
	Bids        []Level              `json:"bids" doc:"From the highest limit."`
}

// TopOfBook is the best of each side in every region.
type TopOfBook struct {
	Product     corehour.ProductID   `json:"product"`
	CarbonPrice corehour.CarbonPrice `json:"carbon_price"`
	From        corehour.Minute      `json:"from"`
	To          corehour.Minute      `json:"to"`
	Regions     []Top                `json:"regions" doc:"Every region, in the order of their definition."`
}

// Top is the best of each side in a region.
type Top struct {
	Region corehour.RegionID `json:"region"`
	Offer  *Level            `json:"offer,omitempty" doc:"The lowest effective price; absent where nothing is offered."`
	Bid    *Level            `json:"bid,omitempty" doc:"The highest limit; absent where nobody bids."`
}

// HeatMap is the cheapest capacity by region and hour.
type HeatMap struct {
	Product     corehour.ProductID   `json:"product"`
	CarbonPrice corehour.CarbonPrice `json:"carbon_price"`
	From        corehour.Minute      `json:"from"`
	Hours       int                  `json:"hours"`
	Rows        []HeatRow            `json:"rows" doc:"One for each region."`
}

// HeatRow is one region.
type HeatRow struct {
	Region corehour.RegionID `json:"region"`
	Cells  []HeatCell        `json:"cells" doc:"The hours in which something is offered, in order."`
}

// HeatCell is the best level of offers for one whole hour.
type HeatCell struct {
	Hour corehour.Minute `json:"hour" doc:"When the hour begins. Of the present hour, the cell is for what is left of it."`
	Level
}

// SpanParams are embedded in the input of questions about a span of time.
type SpanParams struct {
	CarbonPrice carbonPriceParam `query:"carbon_price" doc:"What a tonne of CO2 equivalent counts for; 0 if not given." example:"80.00"`
	From        minuteParam      `query:"from" doc:"When the capacity is needed from, a whole minute; the next one if not given." example:"2026-03-01T12:00:00Z"`
	To          minuteParam      `query:"to" doc:"Until when, at most 366 days later; an hour later if not given." example:"2026-03-01T14:00:00Z"`
}

// ProductParam is the input of what is about one product's book.
type ProductParam struct {
	Product corehour.ProductID `path:"product" maxLength:"64" doc:"The product's name." example:"cpu.standard"`
}

type minuteParam = idParam[corehour.Minute, *corehour.Minute]

// carbonPriceParam is a carbon price as a parameter.
type carbonPriceParam struct {
	price corehour.CarbonPrice
}

// UnmarshalText reads a decimal; huma calls it.
func (p *carbonPriceParam) UnmarshalText(b []byte) (err error) {
	p.price, err = corehour.ParseCarbonPrice(string(b))
	if err == nil && (p.price < 0 || p.price > corehour.MaxCarbonPrice) {
		return errors.New("expected 0 to " + corehour.MaxCarbonPrice.String())
	}
	return err
}

// Schema is that of a carbon price; huma calls it.
func (*carbonPriceParam) Schema(r huma.Registry) *huma.Schema {
	return scalar[corehour.CarbonPrice]{}.Schema(r)
}

// regionsParam is a list of regions as a parameter.
type regionsParam struct {
	regions []corehour.RegionID
}

// UnmarshalText reads names with commas between them; huma calls it.
func (p *regionsParam) UnmarshalText(b []byte) error {
	names := strings.Split(string(b), ",")
	if len(names) > exchange.MaxHeatRegions {
		return errors.New("expected at most 32 regions")
	}
	for _, name := range names {
		if !corehour.ValidName(name) {
			return errors.New("expected names of regions with commas between them")
		}
		p.regions = append(p.regions, corehour.RegionID(name))
	}
	return nil
}

// Schema is names with commas between them; huma calls it.
func (*regionsParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: `^[A-Za-z0-9][A-Za-z0-9._:,-]*$`}
}

func (s *Server) registerMarket() {
	const tag = "market"
	register(s, operation{
		id: "get-depth", method: http.MethodGet, path: "/v1/market/{product}/depth", tag: tag,
		summary: "Read the depth of a region's book",
		description: "Offers by effective price and bids by limit, as a bid for exactly these minutes with this carbon price sees them. " +
			"Bids that could not run in just these minutes are not among them.",
	}, s.depth)
	register(s, operation{
		id: "get-top", method: http.MethodGet, path: "/v1/market/{product}/top", tag: tag,
		summary: "Read the best of each side in every region", description: "The first level of each region's depth.",
	}, s.top)
	register(s, operation{
		id: "get-heatmap", method: http.MethodGet, path: "/v1/market/{product}/heatmap", tag: tag,
		summary: "Read the cheapest capacity by region and hour", description: "Rows may be of different moments while the market moves.",
	}, s.heatMap)
}

// asked places what is wrong with a question about a product's book.
func asked(err error) error {
	if corehour.CodeOf(err) == exchange.CodeUnknownProduct {
		return notFound("product")
	}
	return inQuery(err)
}

func (s *Server) depth(ctx context.Context, _ Caller, in *struct {
	ProductParam
	SpanParams
	Region corehour.RegionID `query:"region" required:"true" maxLength:"64" doc:"Where." example:"europe-north1"`
	Levels int               `query:"levels" minimum:"1" maximum:"100" doc:"How many levels of each side at most; 100 if not given." example:"10"`
}) (*struct{ Body Depth }, error) {
	d, err := s.config.Exchange.Depth(ctx, exchange.DepthQuery{
		Product: in.Product, Region: in.Region, CarbonPrice: in.CarbonPrice.price, From: in.From.id, To: in.To.id, Levels: in.Levels,
	})
	if err != nil {
		return nil, asked(err)
	}
	return &struct{ Body Depth }{Depth{
		Product: d.Product, Region: d.Region, CarbonPrice: d.CarbonPrice, From: d.From, To: d.To,
		Offers: levelsOf(d.Offers), Bids: levelsOf(d.Bids),
	}}, nil
}

func levelsOf(levels []exchange.Level) []Level {
	out := make([]Level, len(levels))
	for i, l := range levels {
		out[i] = Level(l)
	}
	return out
}

func (s *Server) top(ctx context.Context, _ Caller, in *struct {
	ProductParam
	SpanParams
}) (*struct{ Body TopOfBook }, error) {
	t, err := s.config.Exchange.TopOfBook(ctx, exchange.TopQuery{
		Product: in.Product, CarbonPrice: in.CarbonPrice.price, From: in.From.id, To: in.To.id,
	})
	if err != nil {
		return nil, asked(err)
	}
	out := TopOfBook{Product: t.Product, CarbonPrice: t.CarbonPrice, From: t.From, To: t.To, Regions: make([]Top, len(t.Regions))}
	for i, r := range t.Regions {
		out.Regions[i] = Top{Region: r.Region, Offer: (*Level)(r.Offer), Bid: (*Level)(r.Bid)}
	}
	return &struct{ Body TopOfBook }{out}, nil
}

func (s *Server) heatMap(ctx context.Context, _ Caller, in *struct {
	ProductParam
	CarbonPrice carbonPriceParam `query:"carbon_price" doc:"What a tonne of CO2 equivalent counts for; 0 if not given." example:"80.00"`
	From        minuteParam      `query:"from" doc:"The first hour, on the hour; the present one if not given." example:"2026-03-01T12:00:00Z"`
	Hours       int              `query:"hours" minimum:"1" maximum:"168" doc:"How many hours; 24 if not given." example:"24"`
	Regions     regionsParam     `query:"regions" doc:"At most 32 regions with commas between them; the first 32 if not given." example:"europe-north1,europe-west1"`
}) (*struct{ Body HeatMap }, error) {
	m, err := s.config.Exchange.HeatMap(ctx, exchange.HeatQuery{
		Product: in.Product, CarbonPrice: in.CarbonPrice.price, From: in.From.id, Hours: in.Hours, Regions: in.Regions.regions,
	})
	if err != nil {
		return nil, asked(err)
	}
	out := HeatMap{Product: m.Product, CarbonPrice: m.CarbonPrice, From: m.From, Hours: m.Hours, Rows: make([]HeatRow, len(m.Rows))}
	for i, r := range m.Rows {
		row := HeatRow{Region: r.Region, Cells: []HeatCell{}}
		for h, cell := range r.Cells {
			if cell != nil {
				row.Cells = append(row.Cells, HeatCell{Hour: m.From.Add(corehour.Minutes(h) * corehour.MinutesPerHour), Level: Level(*cell)})
			}
		}
		out.Rows[i] = row
	}
	return &struct{ Body HeatMap }{out}, nil
}

package exchange

import (
	"context"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// Questions about the market are answered from the live state, as of what has
// been applied, at the clock's time where that is later than the newest command.
// They change nothing, but a book uses its buffers to answer, so each holds the
// state's lock for writing. Long ones let go of it from time to time.

// Quote is what a bid would get if it came now. A bid that would be rejected is
// an error with the code and field of the rejection; funds are not asked for.
func (x *Exchange) Quote(_ context.Context, c PlaceBid) (Quote, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.asked()
	b, entry, err := s.hypothetical(c)
	if err != nil {
		return Quote{}, err
	}
	return s.quoteOf(b, s.productNamed[b.Product].book.Quote(s.startable(), entry)), nil
}

// Explain is a quote with the single changes of the bid that would fill it now.
func (x *Exchange) Explain(_ context.Context, c PlaceBid) (Explanation, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.asked()
	b, entry, err := s.hypothetical(c)
	if err != nil {
		return Explanation{}, err
	}
	return s.explain(b, entry), nil
}

// ExplainOpen explains what is open of a consumer's bid.
func (x *Exchange) ExplainOpen(_ context.Context, consumer corehour.AccountID, id corehour.BidID) (Explanation, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.asked()
	b := s.bids[id]
	if b == nil || b.Consumer != consumer {
		return Explanation{}, refusalError(unknownBid())
	}
	entry, refusal := s.bookBid(b)
	if refusal.Rejected() {
		return Explanation{}, refusalError(refusal)
	}
	return s.explain(b, entry), nil
}

// Depth is both sides of a region's book.
func (x *Exchange) Depth(_ context.Context, q DepthQuery) (Depth, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.asked()
	from, to, refusal := s.span(q.Product, q.CarbonPrice, q.From, q.To)
	region, known := s.regionNamed[q.Region]
	switch {
	case refusal.Rejected():
	case !known:
		refusal = reject(CodeUnknownRegion, "region", "there is no such region")
	case q.Levels < 0 || q.Levels > MaxDepthLevels:
		refusal = reject(CodeOutOfRange, "levels", "levels are 1 to 100")
	}
	if refusal.Rejected() {
		return Depth{}, refusalError(refusal)
	}
	ask := orderbook.DepthQuery{Region: region, CarbonPrice: q.CarbonPrice, From: from, To: to, Levels: orAll(q.Levels, MaxDepthLevels)}
	book := s.productNamed[q.Product].book
	return Depth{
		Product: q.Product, Region: q.Region, CarbonPrice: q.CarbonPrice, From: from, To: to,
		Offers: levelsOf(book.OfferDepth(s.startable(), ask)), Bids: levelsOf(book.BidDepth(s.startable(), ask)),
	}, nil
}

// TopOfBook is the best of each side in every region.
func (x *Exchange) TopOfBook(_ context.Context, q TopQuery) (TopOfBook, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.asked()
	from, to, refusal := s.span(q.Product, q.CarbonPrice, q.From, q.To)
	if refusal.Rejected() {
		return TopOfBook{}, refusalError(refusal)
	}
	top := TopOfBook{Product: q.Product, CarbonPrice: q.CarbonPrice, From: from, To: to, Regions: make([]Top, len(s.regions))}
	book := s.productNamed[q.Product].book
	for i, r := range s.regions {
		ask := orderbook.DepthQuery{Region: orderbook.RegionIndex(i), CarbonPrice: q.CarbonPrice, From: from, To: to, Levels: 1}
		top.Regions[i].Region = r.ID
		top.Regions[i].Offer = firstOf(book.OfferDepth(s.startable(), ask))
		top.Regions[i].Bid = firstOf(book.BidDepth(s.startable(), ask))
	}
	return top, nil
}

// HeatMap is the best offers of regions hour by hour. It lets commands through
// between regions, so its rows may be of different moments.
func (x *Exchange) HeatMap(_ context.Context, q HeatQuery) (HeatMap, error) {
	m := HeatMap{Product: q.Product, CarbonPrice: q.CarbonPrice, From: q.From, Hours: orAll(q.Hours, hoursPerDay)}
	regions, err := x.heatRegions(&m, q.Regions)
	if err != nil {
		return HeatMap{}, err
	}
	m.Rows = make([]HeatRow, len(regions))
	for i, region := range regions {
		m.Rows[i] = x.heatRow(&m, region)
	}
	return m, nil
}

const hoursPerDay = 24

// heatRegions checks the question, completes it, and resolves its regions.
func (x *Exchange) heatRegions(m *HeatMap, names []corehour.RegionID) ([]orderbook.RegionIndex, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.asked()
	if m.From == 0 {
		m.From = hourOf(s.now)
	}
	switch {
	case m.From%corehour.Minute(corehour.MinutesPerHour) != 0:
		return nil, refusalError(reject(CodeOutOfRange, "from", "a heat map begins on the hour"))
	case m.From < hourOf(s.now):
		return nil, refusalError(reject(CodeWindowPassed, "from", "this hour is over"))
	case m.Hours < 1 || m.Hours > MaxHeatHours:
		return nil, refusalError(reject(CodeOutOfRange, "hours", "a heat map has 1 to 168 hours"))
	case len(names) > MaxHeatRegions:
		return nil, refusalError(reject(CodeTooMany, "regions", "a heat map has at most 32 regions"))
	}
	if _, _, refusal := s.span(m.Product, m.CarbonPrice, m.From, m.From.Add(corehour.MinutesPerHour)); refusal.Rejected() {
		return nil, refusalError(refusal)
	}
	indices := make([]orderbook.RegionIndex, 0, MaxHeatRegions)
	for _, name := range names {
		i, known := s.regionNamed[name]
		if !known {
			return nil, refusalError(unknownRegion(name))
		}
		indices = append(indices, i)
	}
	if len(names) == 0 {
		for i := range min(len(s.regions), MaxHeatRegions) {
			indices = append(indices, orderbook.RegionIndex(i))
		}
	}
	return indices, nil
}

func (x *Exchange) heatRow(m *HeatMap, region orderbook.RegionIndex) HeatRow {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.asked()
	row := HeatRow{Region: s.regions[region].ID, Cells: make([]*Level, m.Hours)}
	book := s.productNamed[m.Product].book
	for h := range row.Cells {
		hour := m.From.Add(corehour.Minutes(h) * corehour.MinutesPerHour)
		ask := orderbook.DepthQuery{
			Region: region, CarbonPrice: m.CarbonPrice, Levels: 1,
			From: max(hour, s.startable()), To: hour.Add(corehour.MinutesPerHour),
		}
		if ask.From < ask.To {
			row.Cells[h] = firstOf(book.OfferDepth(s.startable(), ask))
		}
	}
	return row
}

// Zones lists the grid zones in the order of their definition.
func (x *Exchange) Zones(context.Context) ([]corehour.Zone, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.state.zones), nil
}

// Intensity is what is known of a grid zone's carbon intensity.
func (x *Exchange) Intensity(_ context.Context, zone corehour.ZoneID) (IntensityCurve, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i, known := x.state.zoneNamed[zone]
	if !known {
		return IntensityCurve{}, notFound("zone")
	}
	_, from, values := x.state.grid.Curve(i)
	return IntensityCurve{Zone: x.state.zones[i-1], From: from, Values: slices.Clone(values)}, nil
}

// asked is the state as a question sees it: at the clock's time, where that is
// later than the newest command's. It shares everything with the state and must
// only be read.
func (x *Exchange) asked() *State {
	view := *x.state
	view.now = max(view.now, corehour.InstantOf(x.cfg.Clock.Now()))
	return &view
}

// hypothetical is a bid as if it came now, after all others.
func (s *State) hypothetical(c PlaceBid) (*bid, orderbook.Bid, error) {
	b, entry, refusal := s.newBid(c)
	if refusal.Rejected() {
		return nil, entry, refusalError(refusal)
	}
	b.ID, b.arrival = s.lastBid+1, s.lastArrival+1
	entry.ID, entry.Arrival = b.ID, b.arrival
	return b, entry, nil
}

func (s *State) quoteOf(b *bid, fills []orderbook.Fill) Quote {
	q := Quote{Open: b.open, Left: b.left, Hold: corehour.Cost(b.Limit, b.open, b.left), Fills: make([]Fill, len(fills))}
	for i, f := range fills {
		o := s.offers[f.Offer]
		q.Fills[i] = Fill{
			Bid: b.ID, Offer: f.Offer, Provider: o.Provider, Region: o.Region, Units: f.Units, Start: f.Start, End: f.End,
			Price: f.Price, Carbon: f.Carbon,
		}
		q.Cost += corehour.Cost(f.Price, f.Units, f.End.Sub(f.Start))
		q.Open, q.Left = b.after(q.Open, q.Left, f.Units, f.End.Sub(f.Start))
	}
	q.Filled = q.Open == 0
	return q
}

func (s *State) explain(b *bid, entry orderbook.Bid) Explanation {
	found := s.productNamed[b.Product].book.Explain(s.startable(), entry)
	e := Explanation{Quote: s.quoteOf(b, found.Fills), Changes: make([]Change, len(found.Changes))}
	for i, c := range found.Changes {
		e.Changes[i] = s.changeOf(&c)
	}
	return e
}

func (s *State) changeOf(c *orderbook.Change) Change {
	switch c.Condition {
	case orderbook.ConditionPrice:
		return Change{Condition: ConditionPrice, Limit: &c.Limit}
	case orderbook.ConditionCarbon:
		return Change{Condition: ConditionCarbon, MaxCarbon: &c.MaxCarbon}
	case orderbook.ConditionRegion:
		return Change{Condition: ConditionRegion, Region: s.regions[c.Region].ID}
	case orderbook.ConditionWindow:
		return Change{Condition: ConditionWindow, LatestEnd: &c.LatestEnd}
	case orderbook.ConditionSize:
		return Change{Condition: ConditionSize, Units: &c.Units}
	case orderbook.ConditionProvider:
		return Change{Condition: ConditionProvider, Provider: s.accounts[c.Provider].id}
	case orderbook.ConditionSLA:
		return Change{Condition: ConditionSLA, MinSLA: &c.MinSLA}
	case orderbook.ConditionInterruptible:
		return Change{Condition: ConditionInterruptible}
	case orderbook.ConditionTakeOrPay:
		return Change{Condition: ConditionTakeOrPay, MaxTakeOrPay: &c.MaxTakeOrPay}
	}
	panic("exchange: the book explains by a condition without a name")
}

// span completes and checks the minutes that a question is about.
func (s *State) span(product corehour.ProductID, p corehour.CarbonPrice, from, to corehour.Minute) (corehour.Minute, corehour.Minute, Reply) {
	if from == 0 {
		from = s.startable()
	}
	if to == 0 {
		to = from.Add(corehour.MinutesPerHour)
	}
	from = max(from, s.startable())
	switch {
	case s.productNamed[product] == nil:
		return from, to, reject(CodeUnknownProduct, "product", "there is no such product")
	case p < 0 || p > corehour.MaxCarbonPrice:
		return from, to, reject(CodeOutOfRange, "carbon_price", "a carbon price is 0 to 1000000 per tonne")
	case to <= from:
		return from, to, reject(CodeWindowPassed, "to", "nothing is left of these minutes")
	case from > s.startable().Add(maxAhead):
		return from, to, reject(CodeOutOfRange, "from", "the book reaches twenty years ahead")
	case to.Sub(from) > corehour.MaxDuration:
		return from, to, reject(CodeOutOfRange, "to", "a span is at most 366 days")
	}
	return from, to, Reply{}
}

func refusalError(r Reply) error {
	return &corehour.Error{Kind: corehour.KindRejected, Code: r.Code, Field: r.Field, Message: r.Message}
}

func orAll(n, all int) int {
	if n == 0 {
		return all
	}
	return n
}

func levelsOf(levels []orderbook.Level) []Level {
	named := make([]Level, len(levels))
	for i, l := range levels {
		named[i] = Level(l)
	}
	return named
}

func firstOf(levels []orderbook.Level) *Level {
	if len(levels) == 0 {
		return nil
	}
	first := Level(levels[0])
	return &first
}

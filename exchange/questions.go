package exchange

import (
	"cmp"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// view is the state at an instant that may be later than its newest command. It
// shares everything with the state: it may be asked, and no more. Books are asked
// at the time of the state itself, because the next command may come from a clock
// that is behind, and a book's time never goes back; it is the bids and minutes
// asked about that begin at the time of the view.
type view struct {
	State
	applied corehour.Minute // the first minute that a lease may start at, for the books
}

func (s *State) asOf(at corehour.Instant) *view {
	v := &view{State: *s, applied: s.startable()}
	v.now = max(v.now, at)
	return v
}

// hypothetical is a bid as if it came now, after all others.
func (v *view) hypothetical(c PlaceBid) (*bid, orderbook.Bid, Reply) {
	b, entry, refusal := v.newBid(c)
	if refusal.Rejected() {
		return nil, entry, refusal
	}
	b.ID, b.arrival = v.lastBid+1, v.lastArrival+1
	entry.ID, entry.Arrival = b.ID, b.rank()
	return b, entry, refusal
}

func (v *view) quote(c PlaceBid) (Quote, Reply) {
	b, entry, refusal := v.hypothetical(c)
	if refusal.Rejected() {
		return Quote{}, refusal
	}
	return v.quoteOf(b, v.bookOf(b.Product).Quote(v.applied, entry)), refusal
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

func (v *view) explainNew(c PlaceBid) (Explanation, Reply) {
	b, entry, refusal := v.hypothetical(c)
	if refusal.Rejected() {
		return Explanation{}, refusal
	}
	return v.explain(b, entry), refusal
}

func (v *view) explainOpen(consumer corehour.AccountID, id corehour.BidID) (Explanation, Reply) {
	b := v.bids[id]
	if b == nil || b.Consumer != consumer {
		return Explanation{}, unknownBid()
	}
	if refusal := v.trades(v.productNamed[b.Product]); refusal.Rejected() {
		return Explanation{}, refusal
	}
	entry, refusal := v.bookBid(b)
	if refusal.Rejected() {
		return Explanation{}, refusal
	}
	entry.EarliestStart = max(entry.EarliestStart, v.startable())
	return v.explain(b, entry), refusal
}

func (v *view) explain(b *bid, entry orderbook.Bid) Explanation {
	found := v.bookOf(b.Product).Explain(v.applied, entry)
	e := Explanation{Quote: v.quoteOf(b, found.Fills), Changes: make([]Change, len(found.Changes))}
	for i, c := range found.Changes {
		e.Changes[i] = v.changeOf(&c)
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

func (v *view) depth(q DepthQuery) (Depth, Reply) {
	ask, refusal := v.span(q.Product, q.CarbonPrice, q.From, q.To)
	region, known := v.regionNamed[q.Region]
	switch {
	case refusal.Rejected():
		return Depth{}, refusal
	case !known:
		return Depth{}, reject(CodeUnknownRegion, "region", "there is no such region")
	case q.Levels < 0 || q.Levels > MaxDepthLevels:
		return Depth{}, reject(CodeOutOfRange, "levels", "levels are 1 to 100")
	}
	ask.Region, ask.Levels = region, cmp.Or(q.Levels, MaxDepthLevels)
	book := v.bookOf(q.Product)
	return Depth{
		Product: q.Product, Region: q.Region, CarbonPrice: q.CarbonPrice, From: ask.From, To: ask.To,
		Offers: levelsOf(book.OfferDepth(v.applied, ask)), Bids: levelsOf(book.BidDepth(v.applied, ask)),
	}, refusal
}

func (v *view) topOfBook(q TopQuery) (TopOfBook, Reply) {
	ask, refusal := v.span(q.Product, q.CarbonPrice, q.From, q.To)
	if refusal.Rejected() {
		return TopOfBook{}, refusal
	}
	top := TopOfBook{Product: q.Product, CarbonPrice: q.CarbonPrice, From: ask.From, To: ask.To, Regions: make([]Top, len(v.regions))}
	book := v.bookOf(q.Product)
	ask.Levels = 1
	for i, r := range v.regions {
		ask.Region = orderbook.RegionIndex(i)
		top.Regions[i] = Top{
			Region: r.ID, Offer: firstOf(book.OfferDepth(v.applied, ask)), Bid: firstOf(book.BidDepth(v.applied, ask)),
		}
	}
	return top, refusal
}

// heatMap checks a question and completes it; the cells of its rows are empty.
func (v *view) heatMap(q HeatQuery) (HeatMap, Reply) {
	m := HeatMap{
		Product: q.Product, CarbonPrice: q.CarbonPrice, From: cmp.Or(q.From, hourOf(v.startable())), Hours: cmp.Or(q.Hours, hoursPerDay),
	}
	switch {
	case m.From%corehour.Minute(corehour.MinutesPerHour) != 0:
		return m, reject(CodeOutOfRange, "from", "a heat map begins on the hour")
	case m.From < hourOf(v.startable()):
		return m, reject(CodeWindowPassed, "from", "this hour is over")
	case m.Hours < 1 || m.Hours > MaxHeatHours:
		return m, reject(CodeOutOfRange, "hours", "a heat map has 1 to 168 hours")
	case len(q.Regions) > MaxHeatRegions:
		return m, reject(CodeTooMany, "regions", "a heat map has at most 32 regions")
	}
	end := m.From.Add(corehour.Minutes(m.Hours) * corehour.MinutesPerHour)
	if _, refusal := v.span(m.Product, m.CarbonPrice, m.From, end); refusal.Rejected() {
		return m, refusal
	}
	names := q.Regions
	if len(names) == 0 {
		for _, r := range v.regions[:min(len(v.regions), MaxHeatRegions)] {
			names = append(names, r.ID)
		}
	}
	for _, name := range names {
		if _, known := v.regionNamed[name]; !known {
			return m, unknownRegion(name)
		}
		m.Rows = append(m.Rows, HeatRow{Region: name, Cells: make([]*Level, m.Hours)})
	}
	return m, Reply{}
}

const hoursPerDay = 24

// heat fills the cells of a row.
func (v *view) heat(m *HeatMap, row *HeatRow) {
	ask := orderbook.DepthQuery{Region: v.regionNamed[row.Region], CarbonPrice: m.CarbonPrice, Levels: 1}
	for h := range row.Cells {
		hour := m.From.Add(corehour.Minutes(h) * corehour.MinutesPerHour)
		ask.From, ask.To = max(hour, v.startable()), hour.Add(corehour.MinutesPerHour)
		if ask.From < ask.To {
			row.Cells[h] = firstOf(v.bookOf(m.Product).OfferDepth(v.applied, ask))
		}
	}
}

// span completes and checks what a question about the book is about.
func (s *State) span(product corehour.ProductID, p corehour.CarbonPrice, from, to corehour.Minute) (orderbook.DepthQuery, Reply) {
	from = max(from, s.startable())
	if to == 0 {
		to = from.Add(corehour.MinutesPerHour)
	}
	ask := orderbook.DepthQuery{CarbonPrice: p, From: from, To: to}
	switch {
	case s.productNamed[product] == nil:
		return ask, reject(CodeUnknownProduct, "product", "there is no such product")
	case p < 0 || p > corehour.MaxCarbonPrice:
		return ask, reject(CodeOutOfRange, "carbon_price", "a carbon price is 0 to 1000000 per tonne")
	case from > s.startable().Add(maxAhead):
		return ask, reject(CodeOutOfRange, "from", "the book reaches twenty years ahead")
	case to <= from:
		return ask, reject(CodeWindowPassed, "to", "nothing is left of these minutes")
	case to.Sub(from) > corehour.MaxDuration:
		return ask, reject(CodeOutOfRange, "to", "a span is at most 366 days")
	}
	return ask, Reply{}
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

package exchange

import (
	"cmp"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// asOf is the state at an instant, if that is later than its newest command. It
// shares everything with the state: it may be asked, and no more.
func (s *State) asOf(at corehour.Instant) *State {
	view := *s
	view.now = max(view.now, at)
	return &view
}

// hypothetical is a bid as if it came now, after all others.
func (s *State) hypothetical(c PlaceBid) (*bid, orderbook.Bid, Reply) {
	b, entry, refusal := s.newBid(c)
	if refusal.Rejected() {
		return nil, entry, refusal
	}
	b.ID, b.arrival = s.lastBid+1, s.lastArrival+1
	entry.ID, entry.Arrival = b.ID, b.arrival
	return b, entry, refusal
}

func (s *State) quote(c PlaceBid) (Quote, Reply) {
	b, entry, refusal := s.hypothetical(c)
	if refusal.Rejected() {
		return Quote{}, refusal
	}
	return s.quoteOf(b, s.bookOf(b.Product).Quote(s.startable(), entry)), refusal
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

func (s *State) explainNew(c PlaceBid) (Explanation, Reply) {
	b, entry, refusal := s.hypothetical(c)
	if refusal.Rejected() {
		return Explanation{}, refusal
	}
	return s.explain(b, entry), refusal
}

func (s *State) explainOpen(consumer corehour.AccountID, id corehour.BidID) (Explanation, Reply) {
	b := s.bids[id]
	if b == nil || b.Consumer != consumer {
		return Explanation{}, unknownBid()
	}
	entry, refusal := s.bookBid(b)
	if refusal.Rejected() {
		return Explanation{}, refusal
	}
	return s.explain(b, entry), refusal
}

func (s *State) explain(b *bid, entry orderbook.Bid) Explanation {
	found := s.bookOf(b.Product).Explain(s.startable(), entry)
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

func (s *State) depth(q DepthQuery) (Depth, Reply) {
	ask, refusal := s.span(q.Product, q.CarbonPrice, q.From, q.To)
	region, known := s.regionNamed[q.Region]
	switch {
	case refusal.Rejected():
		return Depth{}, refusal
	case !known:
		return Depth{}, reject(CodeUnknownRegion, "region", "there is no such region")
	case q.Levels < 0 || q.Levels > MaxDepthLevels:
		return Depth{}, reject(CodeOutOfRange, "levels", "levels are 1 to 100")
	}
	ask.Region, ask.Levels = region, cmp.Or(q.Levels, MaxDepthLevels)
	book := s.bookOf(q.Product)
	return Depth{
		Product: q.Product, Region: q.Region, CarbonPrice: q.CarbonPrice, From: ask.From, To: ask.To,
		Offers: levelsOf(book.OfferDepth(s.startable(), ask)), Bids: levelsOf(book.BidDepth(s.startable(), ask)),
	}, refusal
}

func (s *State) topOfBook(q TopQuery) (TopOfBook, Reply) {
	ask, refusal := s.span(q.Product, q.CarbonPrice, q.From, q.To)
	if refusal.Rejected() {
		return TopOfBook{}, refusal
	}
	top := TopOfBook{Product: q.Product, CarbonPrice: q.CarbonPrice, From: ask.From, To: ask.To, Regions: make([]Top, len(s.regions))}
	book := s.bookOf(q.Product)
	ask.Levels = 1
	for i, r := range s.regions {
		ask.Region = orderbook.RegionIndex(i)
		top.Regions[i] = Top{
			Region: r.ID, Offer: firstOf(book.OfferDepth(s.startable(), ask)), Bid: firstOf(book.BidDepth(s.startable(), ask)),
		}
	}
	return top, refusal
}

// heatMap checks a question and completes it; the cells of its rows are empty.
func (s *State) heatMap(q HeatQuery) (HeatMap, Reply) {
	m := HeatMap{
		Product: q.Product, CarbonPrice: q.CarbonPrice, From: cmp.Or(q.From, hourOf(s.now)), Hours: cmp.Or(q.Hours, hoursPerDay),
	}
	switch {
	case m.From%corehour.Minute(corehour.MinutesPerHour) != 0:
		return m, reject(CodeOutOfRange, "from", "a heat map begins on the hour")
	case m.From < hourOf(s.now):
		return m, reject(CodeWindowPassed, "from", "this hour is over")
	case m.Hours < 1 || m.Hours > MaxHeatHours:
		return m, reject(CodeOutOfRange, "hours", "a heat map has 1 to 168 hours")
	case len(q.Regions) > MaxHeatRegions:
		return m, reject(CodeTooMany, "regions", "a heat map has at most 32 regions")
	}
	end := m.From.Add(corehour.Minutes(m.Hours) * corehour.MinutesPerHour)
	if _, refusal := s.span(m.Product, m.CarbonPrice, m.From, end); refusal.Rejected() {
		return m, refusal
	}
	names := q.Regions
	if len(names) == 0 {
		for _, r := range s.regions[:min(len(s.regions), MaxHeatRegions)] {
			names = append(names, r.ID)
		}
	}
	for _, name := range names {
		if _, known := s.regionNamed[name]; !known {
			return m, unknownRegion(name)
		}
		m.Rows = append(m.Rows, HeatRow{Region: name, Cells: make([]*Level, m.Hours)})
	}
	return m, Reply{}
}

const hoursPerDay = 24

// heat fills the cells of a row.
func (s *State) heat(m *HeatMap, row *HeatRow) {
	ask := orderbook.DepthQuery{Region: s.regionNamed[row.Region], CarbonPrice: m.CarbonPrice, Levels: 1}
	for h := range row.Cells {
		hour := m.From.Add(corehour.Minutes(h) * corehour.MinutesPerHour)
		ask.From, ask.To = max(hour, s.startable()), hour.Add(corehour.MinutesPerHour)
		if ask.From < ask.To {
			row.Cells[h] = firstOf(s.bookOf(m.Product).OfferDepth(s.startable(), ask))
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

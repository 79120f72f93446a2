package orderbook_test

import (
	"math"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// What the market of W5 has that no bid can use. Regions are by their number.
const (
	loadSoldRegion  orderbook.RegionIndex = 3  // every offer is sold out
	loadCrumbRegion orderbook.RegionIndex = 7  // every offer has only gaps below an hour
	loadCrumbs                            = 12 // at most so many
	loadOwnRegion   orderbook.RegionIndex = 11
	loadSoldDay                           = 12 // sold out in every offer
	// loadOwner has all offers of one region.
	loadOwner orderbook.OrgIndex = loadProviders + loadConsumers
	// loadStranger is a provider without offers.
	loadStranger orderbook.ProviderIndex = loadProviders
)

// loadWorst is the market of W5: a book of which parts are sold out, and what the
// bids that can match nothing are made from.
type loadWorst struct {
	*loadMarket
	book *orderbook.Book
	// least is the lowest rate of any offer at any start, by region and hours of duration.
	least map[loadRegionHours]corehour.CarbonRate
}

type loadRegionHours struct {
	region orderbook.RegionIndex
	hours  int
}

func newLoadWorst(m *loadMarket, offers int) *loadWorst {
	w := &loadWorst{loadMarket: m, book: orderbook.New(m.grid), least: map[loadRegionHours]corehour.CarbonRate{}}
	from, to := w.soldDay()
	for range offers {
		o := m.offer()
		if o.Region == loadOwnRegion {
			o.Org = loadOwner
		}
		ref, _ := w.book.PlaceOffer(m.now, &o)
		switch {
		case o.Region == loadSoldRegion:
			w.book.RestoreLease(ref, o.Units, o.From, o.To)
			continue
		case o.Region == loadCrumbRegion:
			// In the first hours every second half of an hour stays free.
			crumbs := min(o.To, o.From+loadCrumbs*loadHour)
			for at := o.From; at < crumbs; at += loadHour {
				w.book.RestoreLease(ref, o.Units, at, at+loadHour/2)
			}
			if crumbs < o.To {
				w.book.RestoreLease(ref, o.Units, crumbs, o.To)
			}
			continue
		}
		if low, high := max(from, o.From), min(to, o.To); low < high {
			w.book.RestoreLease(ref, o.Units, low, high)
		}
	}
	return w
}

// soldDay is the day that is sold out in the whole market.
func (w *loadWorst) soldDay() (from, to corehour.Minute) {
	from = w.now + loadSoldDay*loadDay
	return from, from + loadDay
}

// loadHopeless names a way to match nothing. The first four are the issue's; the
// others look for the search's weak side.
type loadHopeless string

const (
	loadHopeful       loadHopeless = "nothing-in-its-way"
	loadLimitTooLow   loadHopeless = "limit-below-every-price"
	loadCapTooLow     loadHopeless = "cap-below-every-rate"
	loadDaySold       loadHopeless = "day-sold-out"
	loadRegionSold    loadHopeless = "region-sold-out"
	loadCapJustMissed loadHopeless = "cap-just-missed"
	loadCarbonTooDear loadHopeless = "limit-just-missed-by-carbon"
	loadCrumbsOnly    loadHopeless = "gaps-too-short"
	loadDayOverlapped loadHopeless = "across-the-sold-day"
	loadOwnOffers     loadHopeless = "own-offers-only"
	loadNobodyAllowed loadHopeless = "provider-without-offers"
	loadTooMany       loadHopeless = "fill-above-every-offer"
	loadTooLong       loadHopeless = "longer-than-every-window"
)

var loadHopelessIssue = []loadHopeless{loadLimitTooLow, loadCapTooLow, loadDaySold, loadRegionSold}

var loadHopelessOwn = []loadHopeless{
	loadCapJustMissed, loadCarbonTooDear, loadCrumbsOnly, loadDayOverlapped,
	loadOwnOffers, loadNobodyAllowed, loadTooMany, loadTooLong,
}

// bid is one that matches nothing in a way, and could have matched much else.
func (w *loadWorst) bid(how loadHopeless) orderbook.Bid {
	bid := w.loadMarket.bid(loadLeastPrice + loadPrices) // above every price
	switch how {
	case loadLimitTooLow:
		bid.Limit = corehour.Price(loadLeastPrice-w.upTo(loadPrices)) * corehour.Tick
	case loadCapTooLow:
		bid.MaxCarbon = corehour.CarbonRate(w.upTo(10))
	case loadDaySold:
		w.placeInSoldDay(&bid)
	case loadRegionSold:
		bid.Regions = only(loadSoldRegion)
	case loadCapJustMissed:
		region, rate := w.cleanest(&bid)
		bid.Regions = only(region)
		bid.MaxCarbon = rate - 1
	case loadCarbonTooDear:
		// The lowest price alone is within the limit, with its carbon it is not.
		region, rate := w.cleanest(&bid)
		bid.Regions = only(region)
		bid.CarbonPrice = (loadCarbonPrices - 1) * 4 * corehour.NanoPerUnit
		bid.Limit = (loadLeastPrice*corehour.Tick + corehour.CarbonCost(bid.CarbonPrice, rate) - 1).FloorToTick()
	case loadCrumbsOnly:
		bid.Regions = only(loadCrumbRegion)
	case loadDayOverlapped:
		w.placeAcrossSoldDay(&bid)
	case loadOwnOffers:
		bid.Org, bid.Regions = loadOwner, only(loadOwnRegion)
	case loadNobodyAllowed:
		bid.Providers = orderbook.ProviderSet{Allow: []orderbook.ProviderIndex{loadStranger}}
	case loadTooMany:
		bid.Units = loadMostUnits + corehour.Units(w.upTo(loadMostUnits))
		bid.MinFill = bid.Units
	case loadTooLong:
		bid.Duration = corehour.Minutes(loadDays+w.upTo(loadDays)) * corehour.MinutesPerDay
		bid.EarliestStart, bid.LatestEnd = w.now, w.now+3*loadDays*loadDay
	}
	return bid
}

// placeInSoldDay lets the bid's window be part of the day that is sold out.
func (w *loadWorst) placeInSoldDay(bid *orderbook.Bid) {
	from, to := w.soldDay()
	hours := w.upTo(24)
	slack := w.random.IntN(25 - hours)
	bid.Duration = corehour.Minutes(hours) * corehour.MinutesPerHour
	bid.EarliestStart = from + corehour.Minute(w.random.IntN(25-hours-slack))*loadHour
	bid.LatestEnd = min(to, bid.EarliestStart+corehour.Minute(hours+slack)*loadHour)
}

// placeAcrossSoldDay gives the bid time before and after the sold day, and on
// neither side enough.
func (w *loadWorst) placeAcrossSoldDay(bid *orderbook.Bid) {
	from, to := w.soldDay()
	hours := 1 + w.upTo(loadMostHours-1)
	bid.Duration = corehour.Minutes(hours) * corehour.MinutesPerHour
	bid.EarliestStart = from - corehour.Minute(w.random.IntN(hours))*loadHour
	bid.LatestEnd = to + corehour.Minute(w.random.IntN(hours))*loadHour
	if bid.LatestEnd < bid.EarliestStart.Add(bid.Duration) {
		bid.LatestEnd = bid.EarliestStart.Add(bid.Duration)
	}
}

// cleanest picks a region that sells, and finds the least that any start there
// can emit. Durations are in whole hours, so it is at a start on the hour.
func (w *loadWorst) cleanest(bid *orderbook.Bid) (orderbook.RegionIndex, corehour.CarbonRate) {
	region := orderbook.RegionIndex(w.random.IntN(len(w.regions)))
	key := loadRegionHours{region, int(bid.Duration / corehour.MinutesPerHour)}
	if rate, ok := w.least[key]; ok {
		return region, rate
	}
	least := corehour.CarbonRate(math.MaxInt64)
	for _, energy := range w.energy {
		carbon := orderbook.Carbon{Zone: w.regions[region], Energy: energy}
		for hour := range corehour.Minute(loadCurveHours) {
			least = min(least, w.grid.Rate(carbon, w.now+hour*loadHour, bid.Duration))
		}
	}
	w.least[key] = least
	return region, least
}

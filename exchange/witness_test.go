package exchange

import (
	"math/big"
	"slices"

	"github.com/corehour/corehour"
)

// witness follows the events of a state and knows nothing else about it, as
// billing and the projection do. What it makes of them must be what the state
// says, and every lease must keep the conditions of its bid and its offer.
type witness struct {
	t       fataler
	funds   map[corehour.AccountID]*funds
	bids    map[corehour.BidID]*watchedBid
	offers  map[corehour.OfferID]corehour.Offer
	leases  map[corehour.LeaseID]corehour.Lease
	regions map[corehour.RegionID]corehour.Region
	means   map[corehour.ZoneID]corehour.Intensity
	hours   map[zoneHour]corehour.Intensity
	filled  map[corehour.BidID]corehour.BidID // group -> the one that filled completely
	risk    riskWitness
	lives   map[corehour.LeaseID]*life
	rules   corehour.LeaseRules
	lost    bool // the control plane
}

type funds struct{ available, held, bond corehour.Money }

type watchedBid struct {
	corehour.Bid
	sold   int64 // unit-minutes
	open   corehour.Units
	left   corehour.Minutes
	closed corehour.CloseReason
	before corehour.Bid // as it was before its last amendment
}

type zoneHour struct {
	zone corehour.ZoneID
	hour corehour.Minute
}

func newWitness(t fataler) *witness {
	return &witness{
		t: t, funds: make(map[corehour.AccountID]*funds), bids: make(map[corehour.BidID]*watchedBid),
		offers: make(map[corehour.OfferID]corehour.Offer), leases: make(map[corehour.LeaseID]corehour.Lease),
		regions: make(map[corehour.RegionID]corehour.Region), means: make(map[corehour.ZoneID]corehour.Intensity),
		hours: make(map[zoneHour]corehour.Intensity), filled: make(map[corehour.BidID]corehour.BidID),
		risk:  newRiskWitness(),
		lives: make(map[corehour.LeaseID]*life),
	}
}

// move takes an amount from available to held.
func (w *witness) move(account corehour.AccountID, amount corehour.Money) {
	f := w.funds[account]
	f.available -= amount
	f.held += amount
}

func (w *witness) see(events []pendingEvent) {
	w.t.Helper()
	w.beginCommand()
	defer w.countOrders(events)
	for _, e := range events {
		switch d := e.data.(type) {
		case corehour.AccountOpened:
			w.funds[d.Account] = &funds{}
		case corehour.FundsMoved:
			if e.typ == corehour.EventFundsPaidOut {
				d.Amount = -d.Amount
			}
			w.funds[d.Account].available += d.Amount
		case corehour.Region:
			w.regions[d.ID] = d
		case corehour.Zone:
			w.means[d.ID] = d.Mean
		case corehour.IntensitySet:
			for i, v := range d.Values {
				w.hours[zoneHour{d.Zone, d.From.Add(corehour.Minutes(i) * corehour.MinutesPerHour)}] = v
			}
		case corehour.Offer:
			w.offers[d.ID] = d
		case corehour.OfferAmended:
			w.offers[d.ID] = d.Offer
		case corehour.BidPlaced:
			w.bids[d.ID] = &watchedBid{Bid: d.Bid, open: d.Units, left: d.Duration}
			w.move(d.Consumer, d.Hold)
		case corehour.BidAmended:
			b := w.bids[d.ID]
			b.before = b.Bid
			b.Bid, b.open, b.left = d.Bid, d.Open, d.Left
			w.move(d.Consumer, d.HoldChange)
		case corehour.LeaseMatched:
			w.seeMatch(&d)
		case corehour.BidClosed:
			w.seeClosed(&d)
		case corehour.ChargePosted:
			w.funds[d.Consumer].held -= d.Amount
			w.funds[d.Provider].available += d.Amount - d.Fee
		case corehour.LeaseSettled:
			w.move(d.Consumer, -d.Released)
			w.backToBond(d.Consumer, d.Payer, d.Returned)
		}
		w.seeRisk(e)
		w.seeLife(e)
	}
}

func (w *witness) seeClosed(d *corehour.BidClosed) {
	w.t.Helper()
	b := w.bids[d.Bid]
	if b.closed != "" || d.Open != b.open || d.Left != b.left {
		w.t.Fatalf("%s closed twice or with %d x %d min open, not %d x %d", d.Bid, d.Open, d.Left, b.open, b.left)
	}
	b.closed = d.Reason
	w.move(d.Consumer, -d.Released)
	if d.Reason == corehour.CloseFilled && b.Group != 0 {
		if other, filled := w.filled[b.Group]; filled {
			w.t.Fatalf("two bids of one group filled: %s and %s", other, d.Bid)
		}
		w.filled[b.Group] = d.Bid
	}
}

func (w *witness) seeMatch(d *corehour.LeaseMatched) {
	w.t.Helper()
	b, o, l := w.bids[d.Lease.Bid], w.offers[d.Offer], &d.Lease
	b.sold += int64(l.Units) * int64(l.End.Sub(l.Start))
	b.open, b.left = d.BidOpen, d.BidLeft
	w.leases[l.ID] = *l
	w.move(l.Consumer, -d.Released)
	w.checkConditions(b, &o, l)
	if want := w.rate(&o, l.Start, l.End); l.Carbon != want {
		w.t.Fatalf("%s emits %s g, by the minute it is %s g", l.ID, l.Carbon, want)
	}
	w.begin(b, l)
	effective := o.Price + corehour.CarbonCost(b.CarbonPrice, l.Carbon)
	if l.CoverOf != 0 {
		w.checkCover(b, l)
	} else if l.Price < o.Price || l.Price+corehour.CarbonCost(b.CarbonPrice, l.Carbon) > b.Limit || effective > b.Limit {
		w.t.Fatalf("%s costs %s: the offer asks %s, the bid's limit is %s", l.ID, l.Price, o.Price, b.Limit)
	}
	if _, filled := w.filled[b.Group]; filled && b.Group != 0 {
		w.t.Fatalf("%s is of a bid whose sibling has filled", l.ID)
	}
}

// checkConditions are those of both sides that do not depend on money.
func (w *witness) checkConditions(b *watchedBid, o *corehour.Offer, l *corehour.Lease) {
	w.t.Helper()
	d := l.End.Sub(l.Start)
	region := w.regions[l.Region]
	switch {
	case o.Org == b.Org || l.ConsumerOrg != b.Org || l.ProviderOrg != o.Org:
		w.t.Fatalf("%s is of the offer's own organisation", l.ID)
	case l.Start < max(o.From, b.EarliestStart, l.MatchedAt.CeilMinute()) || l.End > min(o.To, b.LatestEnd):
		w.t.Fatalf("%s is outside of a window", l.ID)
	case d < o.MinDuration || b.MinPiece == 0 && d != b.Duration || b.MinPiece > 0 && (d < b.MinPiece || l.Units != b.Units):
		w.t.Fatalf("%s is %d units for %d min", l.ID, l.Units, d)
	case l.Units < o.MinFill || o.SLA < b.MinSLA || o.Interruptible && !b.Interruptible || o.TakeOrPay > b.MaxTakeOrPay:
		w.t.Fatalf("%s breaks a condition: %+v, %+v", l.ID, b.Bid, o)
	case b.MaxCarbon != nil && l.Carbon > *b.MaxCarbon:
		w.t.Fatalf("%s emits %s g of %s g allowed", l.ID, l.Carbon, *b.MaxCarbon)
	case !placeAllowed(&b.Bid, region) || slices.Contains(b.Providers.Deny, o.Provider):
		w.t.Fatalf("%s runs in %v at %s: %+v", l.ID, region, o.Provider, b.Bid)
	}
}

// placeAllowed is the rule as the vocabulary states it.
func placeAllowed(b *corehour.Bid, r corehour.Region) bool {
	lists := len(b.Regions.Allow) + len(b.Countries.Allow) + len(b.Continents.Allow)
	allowed := lists == 0 || slices.Contains(b.Regions.Allow, r.ID) || slices.Contains(b.Countries.Allow, r.Country) ||
		slices.Contains(b.Continents.Allow, r.Continent)
	denied := slices.Contains(b.Regions.Deny, r.ID) || slices.Contains(b.Countries.Deny, r.Country) ||
		slices.Contains(b.Continents.Deny, r.Continent)
	return allowed && !denied
}

// rate adds up intensities minute by minute.
func (w *witness) rate(o *corehour.Offer, start, end corehour.Minute) corehour.CarbonRate {
	if o.Energy == 0 {
		return o.Carbon
	}
	sum := new(big.Int)
	for m := start; m < end; m++ {
		intensity, known := w.hours[zoneHour{o.Zone, m - m%60}]
		if !known {
			intensity = w.means[o.Zone]
		}
		sum.Add(sum, big.NewInt(int64(intensity)))
	}
	sum.Mul(sum, big.NewInt(int64(o.Energy)))
	scale := new(big.Int).Mul(big.NewInt(int64(end-start)), big.NewInt(1_000_000))
	sum.Add(sum, new(big.Int).Sub(scale, big.NewInt(1)))
	return corehour.CarbonRate(sum.Div(sum, scale).Int64())
}

// compare holds the witness against the state.
func (w *witness) compare(s *State) {
	w.t.Helper()
	for _, a := range s.accounts {
		if f := w.funds[a.id]; f.available != a.available || f.held != a.held || f.bond != a.bond {
			w.t.Fatalf("account %s has %s, %s and %s, its events make %s, %s and %s", a.id, a.available, a.held, a.bond,
				f.available, f.held, f.bond)
		}
	}
	open := 0
	for id, b := range w.bids {
		if whole := int64(b.Units) * int64(b.Duration); b.sold+int64(b.open)*int64(b.left) != whole {
			w.t.Fatalf("%s of %d unit-minutes has sold %d and seeks %d x %d", id, whole, b.sold, b.open, b.left)
		}
		live := s.bids[id]
		if (live == nil) != (b.closed != "") {
			w.t.Fatalf("%s is %q by its events, the state has %v", id, b.closed, live)
		}
		if live == nil {
			continue
		}
		open++
		if live.open != b.open || live.left != b.left {
			w.t.Fatalf("%s seeks %d x %d, by its events %d x %d", id, live.open, live.left, b.open, b.left)
		}
		if other, filled := w.filled[b.Group]; filled && b.Group != 0 {
			w.t.Fatalf("%s is open though %s of its group filled", id, other)
		}
	}
	if open != len(s.bids) {
		w.t.Fatalf("%d bids are open by their events, %d in the state", open, len(s.bids))
	}
}

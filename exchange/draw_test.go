package exchange

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

// Commands of the book that rapid draws; those that mostly make sense in a state.

var (
	anyProduct   = rapid.SampledFrom([]corehour.ProductID{"cpu", "cpu", "gpu"})
	anyRegion    = rapid.SampledFrom([]corehour.RegionID{"r1", "r2", "r3"})
	anyCountry   = rapid.SampledFrom([]string{"FI", "US", "SE"})
	anyContinent = rapid.SampledFrom([]string{"europe", "north-america"})
	anyZone      = rapid.SampledFrom([]corehour.ZoneID{"FI", "FI", "US", "SE"})
)

func drawOffer(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	from := s.startable().Add(corehour.Minutes(rapid.Int64Range(0, 90).Draw(t, "from")))
	o := PlaceOffer{
		Product: anyProduct.Draw(t, "product"), Provider: account.Draw(t, "provider"), Region: anyRegion.Draw(t, "region"),
		Units: corehour.Units(rapid.Int64Range(1, 12).Draw(t, "units")),
		From:  from, To: from.Add(corehour.Minutes(rapid.Int64Range(1, 300).Draw(t, "window"))),
		Price: corehour.Price(rapid.Int64Range(1, 40).Draw(t, "price")) * corehour.Tick, Carbon: corehour.CarbonRate(rapid.Int64Range(0, 2000).Draw(t, "carbon")),
		SLA: corehour.SLA(rapid.Uint8Range(1, 3).Draw(t, "sla")), Interruptible: rapid.Bool().Draw(t, "interruptible"),
		MinFill: corehour.Units(rapid.Int64Range(0, 3).Draw(t, "min fill")), MinDuration: corehour.Minutes(rapid.Int64Range(0, 30).Draw(t, "min duration")),
		TakeOrPay: corehour.BasisPoints(rapid.Int32Range(0, 10_000).Draw(t, "take or pay")), ClientID: clientID(t),
		PostOnly: rapid.IntRange(0, 9).Draw(t, "post only") == 0,
	}
	if rapid.Bool().Draw(t, "energy") {
		o.Carbon, o.Energy = 0, corehour.Energy(rapid.Int64Range(1, 20_000).Draw(t, "energy"))
		if rapid.Bool().Draw(t, "own zone") {
			o.Zone = anyZone.Draw(t, "zone")
		}
	}
	o.Session = drawSession(t, s, o.Provider)
	return o
}

func drawBid(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) PlaceBid {
	start := s.startable().Add(corehour.Minutes(rapid.Int64Range(0, 60).Draw(t, "start")))
	duration := corehour.Minutes(rapid.Int64Range(1, 90).Draw(t, "duration"))
	b := PlaceBid{
		Product: anyProduct.Draw(t, "product"), Consumer: account.Draw(t, "consumer"),
		Units: corehour.Units(rapid.Int64Range(1, 15).Draw(t, "units")), Duration: duration, EarliestStart: start,
		LatestEnd: start.Add(duration + corehour.Minutes(rapid.Int64Range(0, 200).Draw(t, "slack"))),
		Limit:     corehour.Price(rapid.Int64Range(1, 60).Draw(t, "limit")) * corehour.Tick, Interruptible: rapid.Bool().Draw(t, "interruptible"),
		MinSLA: corehour.SLA(rapid.Uint8Range(0, 3).Draw(t, "sla")), CarbonPrice: corehour.CarbonPrice(rapid.Int64Range(0, 20).Draw(t, "carbon price") * corehour.NanoPerUnit),
		MaxLeases: rapid.IntRange(0, 4).Draw(t, "max leases"), TimeInForce: corehour.TimeInForce(rapid.Uint8Range(1, 4).Draw(t, "time in force")), ClientID: clientID(t),
		PostOnly: rapid.IntRange(0, 9).Draw(t, "post only") == 0,
	}
	if rapid.IntRange(0, 2).Draw(t, "splittable") == 0 {
		b.MinPiece = corehour.Minutes(rapid.Int64Range(1, int64(duration)).Draw(t, "piece"))
		b.MinFill = rapid.SampledFrom([]corehour.Units{0, 0, b.Units}).Draw(t, "min fill")
	} else {
		b.MinFill = rapid.SampledFrom([]corehour.Units{0, 1, b.Units / 2, b.Units}).Draw(t, "min fill")
	}
	if b.TimeInForce == corehour.GoodTillTime {
		b.ExpiresAt = s.now + corehour.Instant(rapid.Int64Range(1, 200).Draw(t, "expires"))*corehour.MicrosPerMinute
	}
	b.Session = drawSession(t, s, b.Consumer)
	b.CoverInterrupted = rapid.IntRange(0, 2).Draw(t, "cover interrupted") == 0
	drawConditions(t, &b)
	return b
}

func drawConditions(t *rapid.T, b *PlaceBid) {
	if rapid.IntRange(0, 2).Draw(t, "cap") == 0 {
		carbonCap := corehour.CarbonRate(rapid.Int64Range(0, 2500).Draw(t, "carbon cap"))
		b.MaxCarbon = &carbonCap
	}
	if rapid.IntRange(0, 4).Draw(t, "take or pay") == 0 {
		share := corehour.BasisPoints(rapid.Int32Range(0, 10_000).Draw(t, "most take or pay"))
		b.MaxTakeOrPay = &share
	}
	switch rapid.IntRange(0, 9).Draw(t, "places") {
	case 0:
		b.Regions.Deny = []corehour.RegionID{"r1"}
		b.Providers.Allow = []corehour.AccountID{"a", "b", "c"}
	case 1:
		b.Countries.Allow = []string{anyCountry.Draw(t, "country")}
	case 2:
		b.Continents.Allow = []string{anyContinent.Draw(t, "continent")}
		b.Countries.Deny = []string{anyCountry.Draw(t, "country")}
	case 3:
		b.Regions.Allow = []corehour.RegionID{"r2"}
		b.Countries.Allow = []string{anyCountry.Draw(t, "country")}
		b.Continents.Deny = []string{anyContinent.Draw(t, "continent")}
	}
}

func drawGroup(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	c := PlaceBidGroup{Consumer: account.Draw(t, "consumer of the group"), ClientID: clientID(t)}
	c.Session = drawSession(t, s, c.Consumer)
	for range rapid.IntRange(2, 4).Draw(t, "members") {
		b := drawBid(t, s, account)
		b.Consumer, b.ClientID, b.Session = "", "", ""
		c.Bids = append(c.Bids, b)
	}
	return c
}

// maybe draws a value or none.
func maybe[T any](t *rapid.T, name string, value func() T) *T {
	if rapid.IntRange(0, 2).Draw(t, name) > 0 {
		return nil
	}
	v := value()
	return &v
}

func drawAmendBid(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	c := AmendBid{Consumer: account.Draw(t, "consumer"), Bid: corehour.BidID(rapid.Uint64Range(1, uint64(s.lastBid)+1).Draw(t, "bid"))}
	units := corehour.Units(10)
	if len(s.bids) > 0 && rapid.IntRange(0, 9).Draw(t, "open one") > 0 {
		b := s.bids[rapid.SampledFrom(sortedKeys(s.bids)).Draw(t, "bid to amend")]
		c.Consumer, c.Bid, units = b.Consumer, b.ID, b.Units
	}
	c.Units = maybe(t, "units", func() corehour.Units {
		return corehour.Units(rapid.Int64Range(-1, int64(units)+2).Draw(t, "new units"))
	})
	if rapid.Bool().Draw(t, "units only") {
		return c
	}
	c.Limit = maybe(t, "limit", func() corehour.Price {
		return corehour.Price(rapid.Int64Range(0, 60).Draw(t, "new limit")) * corehour.Tick
	})
	c.EarliestStart = maybe(t, "start", func() corehour.Minute {
		return s.startable().Add(corehour.Minutes(rapid.Int64Range(-30, 60).Draw(t, "new start")))
	})
	c.LatestEnd = maybe(t, "end", func() corehour.Minute {
		return s.startable().Add(corehour.Minutes(rapid.Int64Range(0, 300).Draw(t, "new end")))
	})
	c.MaxCarbon = maybe(t, "cap", func() corehour.CarbonRate { return corehour.CarbonRate(rapid.Int64Range(0, 4000).Draw(t, "new cap")) })
	c.CarbonPrice = maybe(t, "carbon price", func() corehour.CarbonPrice {
		return corehour.CarbonPrice(rapid.Int64Range(0, 20).Draw(t, "new carbon price")) * corehour.NanoPerUnit
	})
	c.MinFill = maybe(t, "min fill", func() corehour.Units {
		return corehour.Units(rapid.Int64Range(0, int64(units)).Draw(t, "new min fill"))
	})
	c.ExpiresAt = maybe(t, "expiry", func() corehour.Instant {
		return s.now + corehour.Instant(rapid.Int64Range(0, 200).Draw(t, "new expiry"))*corehour.MicrosPerMinute
	})
	return c
}

func drawAmendOffer(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	c := AmendOffer{Provider: account.Draw(t, "provider"), Offer: corehour.OfferID(rapid.Uint64Range(1, uint64(s.lastOffer)+1).Draw(t, "offer"))}
	units := corehour.Units(10)
	if len(s.offers) > 0 && rapid.IntRange(0, 9).Draw(t, "open one") > 0 {
		o := s.offers[rapid.SampledFrom(sortedKeys(s.offers)).Draw(t, "offer to amend")]
		c.Provider, c.Offer, units = o.Provider, o.ID, o.Units
	}
	c.Units = maybe(t, "units", func() corehour.Units { return corehour.Units(rapid.Int64Range(0, int64(units)+2).Draw(t, "new units")) })
	if rapid.Bool().Draw(t, "units only") {
		return c
	}
	c.Price = maybe(t, "price", func() corehour.Price {
		return corehour.Price(rapid.Int64Range(0, 40).Draw(t, "new price")) * corehour.Tick
	})
	c.From = maybe(t, "from", func() corehour.Minute {
		return s.startable().Add(corehour.Minutes(rapid.Int64Range(-30, 60).Draw(t, "new from")))
	})
	c.To = maybe(t, "to", func() corehour.Minute {
		return s.startable().Add(corehour.Minutes(rapid.Int64Range(0, 300).Draw(t, "new to")))
	})
	c.MinFill = maybe(t, "min fill", func() corehour.Units { return corehour.Units(rapid.Int64Range(0, 4).Draw(t, "new min fill")) })
	c.MinDuration = maybe(t, "min duration", func() corehour.Minutes { return corehour.Minutes(rapid.Int64Range(0, 60).Draw(t, "new min duration")) })
	return c
}

func drawCancel(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	who := account.Draw(t, "who")
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		return CancelAll{Account: who, Product: rapid.SampledFrom([]corehour.ProductID{"", "cpu", "gpu", "tpu"}).Draw(t, "product")}
	case 1:
		return CancelOffer{Provider: who, ClientID: clientID(t)}
	case 2:
		return CancelBid{Consumer: who, ClientID: clientID(t)}
	case 3:
		return CancelOffer{Provider: who, Offer: corehour.OfferID(rapid.Uint64Range(1, uint64(s.lastOffer)+1).Draw(t, "id"))}
	}
	return CancelBid{Consumer: who, Bid: corehour.BidID(rapid.Uint64Range(1, uint64(s.lastBid)+1).Draw(t, "id"))}
}

func drawGrid(t *rapid.T, s *State) Command {
	switch rapid.IntRange(0, 5).Draw(t, "grid") {
	case 0:
		return DefineZone{Zone: corehour.Zone{ID: anyZone.Draw(t, "zone"), Mean: corehour.Intensity(rapid.Int64Range(0, 200_000).Draw(t, "mean"))}}
	case 1:
		return DefineRegion{Region: corehour.Region{ID: "r3", Country: "SE", Continent: "europe", Zone: "SE"}}
	}
	hours := rapid.Int64Range(-3, 4).Draw(t, "from hour")
	c := SetIntensity{Zone: anyZone.Draw(t, "zone"), From: hourOf(s.startable()).Add(corehour.Minutes(hours) * corehour.MinutesPerHour)}
	for range rapid.IntRange(0, 8).Draw(t, "hours") {
		c.Values = append(c.Values, corehour.Intensity(rapid.Int64Range(0, 200_000).Draw(t, "intensity")))
	}
	return c
}

func clientID(t *rapid.T) string {
	if n := rapid.IntRange(0, 30).Draw(t, "client id"); n < 10 {
		return fmt.Sprint("client-", n)
	}
	return ""
}

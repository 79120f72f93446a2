package api

import (
	"context"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// What the fake exchange answers about the market. queryErr, where set, is the
// answer to all of it.

func (f *fakeExchange) Zones(context.Context) ([]corehour.Zone, error) {
	return []corehour.Zone{{ID: "FI", Mean: 93_500}, {ID: "DE", Mean: 344_000}}, f.queryErr
}

func (f *fakeExchange) Intensity(_ context.Context, zone corehour.ZoneID) (exchange.IntensityCurve, error) {
	switch zone {
	case "FI":
		return exchange.IntensityCurve{Zone: corehour.Zone{ID: "FI", Mean: 93_500}, From: corehour.InstantOf(testTime).FloorMinute(),
			Values: []corehour.Intensity{90_000, 12_345}}, f.queryErr
	case "DE":
		return exchange.IntensityCurve{Zone: corehour.Zone{ID: "DE", Mean: 344_000}}, f.queryErr
	}
	return exchange.IntensityCurve{}, corehour.Errorf(corehour.KindNotFound, corehour.CodeNotFound, "there is no such zone")
}

func (f *fakeExchange) explanation() exchange.Explanation {
	start := corehour.InstantOf(testTime).FloorMinute()
	limit, most, end, units := corehour.Price(45_000_000), corehour.CarbonRate(310_000), start.Add(1500), corehour.Units(12)
	sla, share := corehour.SLABasic, corehour.BasisPoints(2500)
	return exchange.Explanation{
		Quote: exchange.Quote{Open: 4, Left: 120, Cost: 756_000_000, Hold: 1_280_000_000, Fills: []exchange.Fill{
			{Bid: 2, Offer: 1, Provider: dcNorth, Region: "europe-north1", Units: 12, Start: start, End: start.Add(120), Price: 31_500_000, Carbon: 3250},
		}},
		Changes: []exchange.Change{
			{Condition: exchange.ConditionPrice, Limit: &limit}, {Condition: exchange.ConditionCarbon, MaxCarbon: &most},
			{Condition: exchange.ConditionRegion, Region: "us-east1"}, {Condition: exchange.ConditionWindow, LatestEnd: &end},
			{Condition: exchange.ConditionSize, Units: &units}, {Condition: exchange.ConditionProvider, Provider: dcSouth},
			{Condition: exchange.ConditionSLA, MinSLA: &sla}, {Condition: exchange.ConditionInterruptible},
			{Condition: exchange.ConditionTakeOrPay, MaxTakeOrPay: &share},
		},
	}
}

func (f *fakeExchange) Explain(_ context.Context, c exchange.PlaceBid) (exchange.Explanation, error) {
	f.note(c)
	return f.explanation(), f.queryErr
}

type openQuery struct {
	consumer corehour.AccountID
	bid      corehour.BidID
}

func (f *fakeExchange) ExplainOpen(_ context.Context, consumer corehour.AccountID, id corehour.BidID) (exchange.Explanation, error) {
	f.note(openQuery{consumer, id})
	return f.explanation(), f.queryErr
}

func (f *fakeExchange) Depth(_ context.Context, q exchange.DepthQuery) (exchange.Depth, error) {
	f.note(q)
	return exchange.Depth{
		Product: q.Product, Region: q.Region, CarbonPrice: q.CarbonPrice, From: q.From, To: q.To,
		Offers: []exchange.Level{{Price: 31_500_000, Units: 64, Orders: 2}, {Price: 33_000_000, Units: 8, Orders: 1}},
		Bids:   []exchange.Level{{Price: 30_000_000, Units: 16, Orders: 1}},
	}, f.queryErr
}

func (f *fakeExchange) TopOfBook(_ context.Context, q exchange.TopQuery) (exchange.TopOfBook, error) {
	f.note(q)
	return exchange.TopOfBook{Product: q.Product, CarbonPrice: q.CarbonPrice, From: q.From, To: q.To, Regions: []exchange.Top{
		{Region: "europe-north1", Offer: &exchange.Level{Price: 31_500_000, Units: 64, Orders: 2}, Bid: &exchange.Level{Price: 30_000_000, Units: 16, Orders: 1}},
		{Region: "us-east1"},
	}}, f.queryErr
}

func (f *fakeExchange) HeatMap(_ context.Context, q exchange.HeatQuery) (exchange.HeatMap, error) {
	f.note(q)
	from := corehour.InstantOf(testTime).FloorMinute()
	return exchange.HeatMap{Product: q.Product, CarbonPrice: q.CarbonPrice, From: from, Hours: 3, Rows: []exchange.HeatRow{
		{Region: "europe-north1", Cells: []*exchange.Level{{Price: 31_500_000, Units: 64, Orders: 2}, nil, {Price: 29_000_000, Units: 4, Orders: 1}}},
		{Region: "us-east1", Cells: make([]*exchange.Level, 3)},
	}}, f.queryErr
}

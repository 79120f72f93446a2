package exchange_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func TestExchange_TermsOfOrdersComeBackFromSQL(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		n := newNode(t, db)
		x := n.open()
		defer n.close()
		market(t, x)
		submit(t, x, exchange.DefineZone{Zone: corehour.Zone{ID: "FI", Mean: 90_000}})
		placed := submit(t, x, exchange.PlaceOffer{
			Product: "cpu", Provider: "p", Region: "r1", Units: 4, To: day.Add(600), Price: 500_000_000, Energy: 3500, PostOnly: true,
		})
		offer, err := x.Offer(t.Context(), placed.Offer)
		if err != nil || offer.Energy != 3500 || offer.Zone != "FI" || !offer.PostOnly || offer.Carbon != 0 {
			t.Fatalf("%+v %v", offer, err)
		}
		share := corehour.BasisPoints(4000)
		c := aBid("", 5)
		c.Limit, c.MinPiece, c.MaxTakeOrPay, c.PostOnly = 10_000, 20, &share, true
		c.Countries.Deny, c.Continents.Allow = []string{"DE"}, []string{"europe", "asia"}
		group := submit(t, x, exchange.PlaceBidGroup{Consumer: "c", Bids: []exchange.PlaceBid{c, c}, ClientID: "pair"})
		bid, err := x.Bid(t.Context(), group.Members[1].Bid)
		if err != nil || bid.MinPiece != 20 || bid.MaxTakeOrPay != 4000 || !bid.PostOnly || bid.Group != group.Bid || bid.Left != 60 ||
			fmt.Sprint(bid.Countries, bid.Continents) != "{[] [DE]} {[europe asia] []}" || bid.ClientID != "pair" {
			t.Fatalf("%+v %v", bid, err)
		}
		plain := submit(t, x, aBid("", 1))
		if bid, err = x.Bid(t.Context(), plain.Bid); err != nil || bid.MaxTakeOrPay != corehour.WholeShare || bid.Left != 0 || bid.Group != 0 {
			t.Fatalf("%+v %v", bid, err)
		}
	})
}

// An amendment changes the row of an order, whether it is written in the same
// transaction as the order or in a later one.
func TestExchange_AmendmentsReachTheRows(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		n := newNode(t, db)
		x := n.open()
		defer n.close()
		market(t, x)
		for _, later := range []bool{false, true} {
			cheap := aBid("", 9)
			cheap.Limit = 10_000
			bid := submit(t, x, cheap).Bid
			offer := submit(t, x, exchange.PlaceOffer{Product: "cpu", Provider: "p", Region: "r1", Units: 9, To: day.Add(1440), Price: 900_000_000}).Offer
			if later {
				if err := x.Projected(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			units, price, carbonCap, end := corehour.Units(7), corehour.Price(40_000), corehour.CarbonRate(250), day.Add(700)
			start, minimum, length := day.Add(30), corehour.Units(2), corehour.Minutes(90)
			submit(t, x, exchange.AmendBid{Consumer: "c", Bid: bid, Units: &units, Limit: &price, MaxCarbon: &carbonCap, LatestEnd: &end, EarliestStart: &start, MinFill: &minimum})
			submit(t, x, exchange.AmendOffer{Provider: "p", Offer: offer, Units: &units, From: &start, To: &end, MinFill: &minimum, MinDuration: &length})
			b, err := x.Bid(t.Context(), bid)
			if err != nil || b.Units != 7 || b.Open != 7 || b.Filled != 0 || b.Left != 60 || b.Limit != price || *b.MaxCarbon != 250 || b.LatestEnd != end ||
				b.EarliestStart != start || b.MinFill != 2 || b.Status != exchange.StatusOpen {
				t.Fatalf("written later %t: %+v %v", later, b, err)
			}
			o, err := x.Offer(t.Context(), offer)
			if err != nil || o.Units != 7 || o.From != start || o.To != end || o.MinFill != 2 || o.MinDuration != 90 || o.Price != 900_000_000 {
				t.Fatalf("written later %t: %+v %v", later, o, err)
			}
		}
	})
}

func TestExchange_TotalsTellPiecesFromNothing(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		n := newNode(t, db)
		x := n.open()
		defer n.close()
		market(t, x)
		long := exchange.PlaceBid{
			Product: "cpu", Consumer: "c", Units: 100, Duration: 1500, MinPiece: 60, Limit: 60_000_000, LatestEnd: day.Add(3000),
			TimeInForce: corehour.ImmediateOrCancel,
		}
		if reply := submit(t, x, long); len(reply.Fills) == 0 || reply.Closed != corehour.CloseUnfilled {
			t.Fatalf("%+v", reply)
		}
		totals, err := x.Totals(t.Context())
		if err != nil || totals.BidsPartiallyFilled != 1 || totals.BidsFilled != 0 || totals.BidsUnfilled != 0 {
			t.Fatalf("%+v %v", totals, err)
		}
	})
}

// A question may come at a time that no command has had yet. The next command may
// still be older, from another node's clock.
func TestExchange_AnswersAtTheClocksTimeWithoutMovingTheBook(t *testing.T) {
	n := newNode(t, sqlite(t))
	clock := newClock()
	n.cfg.Clock = clock
	x := n.open()
	defer n.close()
	market(t, x)
	clock.advance(30 * time.Minute)
	q, err := x.Quote(t.Context(), aBid("", 2))
	if err != nil || !q.Filled || q.Fills[0].Start != day.Add(30) || q.Cost != 100_000_000 {
		t.Fatalf("%+v %v", q, err)
	}
	if _, err := x.Explain(t.Context(), aBid("", 2)); err != nil {
		t.Fatal(err)
	}
	depth, err := x.Depth(t.Context(), exchange.DepthQuery{Product: "cpu", Region: "r1"})
	if err != nil || depth.From != day.Add(30) || depth.To != day.Add(90) || len(depth.Offers) != 1 || depth.Offers[0].Units != 1000 {
		t.Fatalf("%+v %v", depth, err)
	}
	clock.advance(-30 * time.Minute)
	reply := submit(t, x, aBid("", 2))
	if len(reply.Fills) != 1 || reply.Fills[0].Start != day {
		t.Fatalf("%+v", reply)
	}
}

func TestExchange_AnswersAboutTheMarket(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	defer n.close()
	market(t, x)
	submit(t, x,
		exchange.DefineZone{Zone: corehour.Zone{ID: "FI", Mean: 90_000}},
		exchange.SetIntensity{Zone: "FI", From: day, Values: []corehour.Intensity{1000, 2000}})
	zones, err := x.Zones(t.Context())
	if err != nil || len(zones) != 1 || zones[0].Mean != 90_000 {
		t.Errorf("%+v %v", zones, err)
	}
	curve, err := x.Intensity(t.Context(), "FI")
	if err != nil || curve.Mean != 90_000 || curve.From != day || fmt.Sprint(curve.Values) != "[1.00 2.00]" {
		t.Errorf("%+v %v", curve, err)
	}
	if _, err := x.Intensity(t.Context(), "SE"); corehour.KindOf(err) != corehour.KindNotFound {
		t.Errorf("an unknown zone: %v", err)
	}
	cheap := aBid("", 3)
	cheap.Limit = 20_000
	open := submit(t, x, cheap).Bid
	top, err := x.TopOfBook(t.Context(), exchange.TopQuery{Product: "cpu"})
	if err != nil || len(top.Regions) != 1 || top.Regions[0].Offer.Price != 50_000_000 || top.Regions[0].Bid.Units != 3 {
		t.Errorf("%+v %v", top, err)
	}
	heat, err := x.HeatMap(t.Context(), exchange.HeatQuery{Product: "cpu", Hours: exchange.MaxHeatHours})
	if err != nil || len(heat.Rows) != 1 || len(heat.Rows[0].Cells) != 168 || heat.Rows[0].Cells[23] == nil || heat.Rows[0].Cells[24] != nil {
		t.Errorf("%+v %v", heat, err)
	}
	e, err := x.ExplainOpen(t.Context(), "c", open)
	if err != nil || e.Filled || len(e.Changes) != 1 || e.Changes[0].Condition != exchange.ConditionPrice || *e.Changes[0].Limit != 50_000_000 {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := x.ExplainOpen(t.Context(), "p", open); corehour.CodeOf(err) != exchange.CodeUnknownBid || corehour.KindOf(err) != corehour.KindRejected {
		t.Errorf("another's bid: %v", err)
	}
	if _, err := x.Quote(t.Context(), aBid("", 0)); corehour.CodeOf(err) != exchange.CodeOutOfRange {
		t.Errorf("a quote for nothing: %v", err)
	}
}

func TestExchange_RestartKeepsZonesPiecesGroupsAndPriority(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	market(t, x)
	long := exchange.PlaceBid{Product: "cpu", Consumer: "c", Units: 100, Duration: 1500, MinPiece: 60, Limit: 60_000_000, LatestEnd: day.Add(3000)}
	cheap := aBid("", 3)
	cheap.Limit = 20_000
	units := corehour.Units(2)
	submit(t, x,
		exchange.DefineZone{Zone: corehour.Zone{ID: "FI", Mean: 90_000}},
		exchange.SetIntensity{Zone: "FI", From: day.Add(60), Values: []corehour.Intensity{1000, 2000}},
		long, exchange.PlaceBidGroup{Consumer: "c", Bids: []exchange.PlaceBid{cheap, cheap}},
		exchange.AmendBid{Consumer: "c", Bid: 2, Units: &units})
	before, _ := x.StateHash()
	n.close()
	x = n.open()
	defer n.close()
	if after, _ := x.StateHash(); after != before {
		t.Fatalf("state %s became %s", before, after)
	}
	reply := submit(t, x, exchange.PlaceOffer{Product: "cpu", Provider: "p", Region: "r1", Units: 2, To: day.Add(90), Price: 10_000})
	if len(reply.Fills) == 0 || reply.Fills[0].Bid != 1 && reply.Fills[0].Bid != 2 {
		t.Fatalf("%+v", reply)
	}
	sibling, err := x.Bid(t.Context(), 3)
	if err != nil || sibling.Closed != corehour.CloseSiblingFilled {
		t.Fatalf("%+v %v", sibling, err)
	}
}

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/exchange"
)

// TestService_TheBookOverHTTP walks through what can be asked of the book beyond
// a plain order, in a market on the machine's time, and kills the server once.
func TestService_TheBookOverHTTP(t *testing.T) {
	t.Parallel()
	w := &walk{t: t, dir: filepath.Join(t.TempDir(), "data")}
	serve := func() {
		w.connect(start(t, childMain, "1", nil, "serve", "--data-dir", w.dir, "--listen", "127.0.0.1:0"))
	}
	serve()
	b := &bookWalk{walk: w, hour: corehour.InstantOf(time.Now()).FloorMinute() / 60 * 60}
	b.openGrid()
	b.feedIntensity()
	b.waitForCleanHours()
	b.quote()
	resting := b.restAndExplain()
	w.server.kill()
	serve()
	b.sameCurve()
	b.marketIsSeen()
	b.amend(resting)
	b.oneOfTwo()
	b.takeBack()
}

// bookWalk is a market with one offer of 64 units, whose zone is dirty (500 g per
// kWh) for six hours from the present one, clean (10 g) for three, and then has
// the mean.
type bookWalk struct {
	*walk
	hour corehour.Minute // the present one, when it began
}

const (
	dirtyHours, cleanHours = 6, 3
	offerEnergy            = corehour.Energy(2355)
	dirtyRate              = corehour.CarbonRate(1178) // 2.355 Wh x 500 g/kWh, rounded up to the milligram
	cleanRate              = corehour.CarbonRate(24)
)

// after is the beginning of the hour so much later than the present one.
func (b *bookWalk) after(hours corehour.Minutes) corehour.Minute { return b.hour.Add(60 * hours) }

func (b *bookWalk) openGrid() {
	b.t.Helper()
	b.operator.want(b.t, http.MethodPost, "/v1/products", api.DefineProduct{ID: "cpu.standard", Unit: "1 vCPU"}, nil)
	for _, region := range []api.DefineRegion{
		{ID: "europe-north1", Country: "FI", Continent: "europe", Zone: "FI"},
		{ID: "us-central1", Country: "US", Continent: "north-america", Zone: "US-CENT-SWPP"},
	} {
		b.operator.want(b.t, http.MethodPost, "/v1/regions", region, nil)
	}
	for _, account := range []corehour.AccountID{"north", "lab"} {
		b.operator.want(b.t, http.MethodPost, "/v1/accounts", api.OpenAccount{Account: account, Org: corehour.OrgID(account), Name: string(account)}, nil)
	}
	b.finance.want(b.t, http.MethodPost, "/v1/accounts/lab/deposits", api.MoveFunds{Amount: 100 * corehour.NanoPerUnit, Reference: "wire-1"}, nil)
}

// feedIntensity gives the zone its curve with the command that operators use, and
// offers capacity that follows it.
func (b *bookWalk) feedIntensity() {
	b.t.Helper()
	var list strings.Builder
	list.WriteString("hour,zone,g_per_kwh\n")
	for h := range corehour.Minutes(dirtyHours + cleanHours) {
		grams := 500
		if h >= dirtyHours {
			grams = 10
		}
		fmt.Fprintf(&list, "%s,FI,%d\n", b.after(h-24*365).Time().Format(time.RFC3339), grams)
	}
	file := filepath.Join(b.t.TempDir(), "curves.csv")
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		b.t.Fatal(err)
	}
	stdout, stderr, code := corehourCommand(b.t, nil, "intensity", "--file", file, "--url", b.server.base, "--data-dir", b.dir,
		"--start", b.hour.Time().Format(time.RFC3339), "--now", b.hour.Time().Format(time.RFC3339))
	if code != 0 || stdout != "FI 9 hours\n" {
		b.t.Fatalf("intensity: %d\n%s%s", code, stdout, stderr)
	}
	b.sameCurve()
	b.provider.want(b.t, http.MethodPost, "/v1/offers", api.PlaceOffer{
		Product: "cpu.standard", Region: "europe-north1", Units: 64, To: b.after(48), Price: price("0.05"), Energy: offerEnergy,
		SLA: corehour.SLAStandard, ClientID: "north-1",
	}, nil)
}

func (b *bookWalk) sameCurve() {
	b.t.Helper()
	var curve api.Intensity
	b.consumer.want(b.t, http.MethodGet, "/v1/zones/FI/intensity", nil, &curve)
	last := len(curve.Values) - 1
	if last < 0 || curve.Mean != 336_667 || curve.Values[last] != 10_000 || curve.From.Add(corehour.Minutes(last)*60) != b.after(dirtyHours+cleanHours-1) {
		b.t.Fatalf("curve %+v", curve)
	}
}

func (b *bookWalk) terms(units corehour.Units, limit string) api.BidTerms {
	return api.BidTerms{Product: "cpu.standard", Units: units, Duration: 60, LatestEnd: b.after(12), Limit: price(limit)}
}

// waitForCleanHours bids with a cap that only the clean hours keep.
func (b *bookWalk) waitForCleanHours() {
	b.t.Helper()
	bid := api.PlaceBid{BidTerms: b.terms(4, "0.06"), ClientID: "clean"}
	most := cleanRate
	bid.MaxCarbon = &most
	var placed api.BidPlaced
	b.consumer.want(b.t, http.MethodPost, "/v1/bids", bid, &placed)
	if len(placed.Fills) != 1 || placed.Fills[0].Start != b.after(dirtyHours) || placed.Fills[0].Carbon != cleanRate || placed.Filled != 4 {
		b.t.Fatalf("placed %+v", placed)
	}
}

// quote asks for the same before the clean hours: a higher cap would do, and so
// would a later end.
func (b *bookWalk) quote() {
	b.t.Helper()
	terms := b.terms(4, "0.06")
	terms.LatestEnd = b.after(4)
	most := corehour.CarbonRate(100)
	terms.MaxCarbon = &most
	var quote api.Quote
	b.consumer.want(b.t, http.MethodPost, "/v1/quotes", terms, &quote)
	var higher, later bool
	for _, c := range quote.Changes {
		higher = higher || c.Condition == exchange.ConditionCarbon && *c.MaxCarbon == dirtyRate
		// The average of the last minutes of dirt and the first clean ones is within the cap before the clean hour is over.
		later = later || c.Condition == exchange.ConditionWindow && *c.LatestEnd > b.after(dirtyHours) && *c.LatestEnd <= b.after(dirtyHours+1)
	}
	if quote.Filled || quote.Open != 4 || len(quote.Fills) != 0 || !higher || !later {
		b.t.Fatalf("quote %+v", quote)
	}
	var bids api.Page[exchange.BidView]
	b.consumer.want(b.t, http.MethodGet, "/v1/bids", nil, &bids)
	if len(bids.Items) != 1 {
		b.t.Fatalf("%d bids after a quote", len(bids.Items))
	}
	terms.MaxCarbon = nil
	b.consumer.want(b.t, http.MethodPost, "/v1/quotes", terms, &quote)
	if !quote.Filled || len(quote.Fills) != 1 || quote.Cost != corehour.Cost(price("0.05"), 4, 60) {
		b.t.Fatalf("quote %+v", quote)
	}
}

// restAndExplain places a bid below the offer's price and asks what it lacks.
func (b *bookWalk) restAndExplain() corehour.BidID {
	b.t.Helper()
	bid := api.PlaceBid{BidTerms: b.terms(8, "0.03"), ClientID: "cheap"}
	bid.PostOnly = true
	var placed api.BidPlaced
	b.consumer.want(b.t, http.MethodPost, "/v1/bids", bid, &placed)
	var why api.Quote
	b.consumer.want(b.t, http.MethodGet, "/v1/bids/"+placed.Bid.String()+"/explanation", nil, &why)
	if placed.Open != 8 || len(why.Changes) != 1 || why.Changes[0].Condition != exchange.ConditionPrice || *why.Changes[0].Limit != price("0.05") {
		b.t.Fatalf("placed %+v\nexplained %+v", placed, why)
	}
	b.refused(b.consumer, http.MethodPost, "/v1/bids", api.PlaceBid{BidTerms: func() api.BidTerms {
		terms := b.terms(1, "0.06")
		terms.PostOnly = true
		return terms
	}()}, exchange.CodeWouldTrade)
	return placed.Bid
}

// refused wants a request to be refused with a code.
func (b *bookWalk) refused(c *client, method, path string, in any, code corehour.Code) {
	b.t.Helper()
	err := c.call(b.t.Context(), method, path, in, nil)
	var problem *problemError
	if !errors.As(err, &problem) || problem.Code != code {
		b.t.Fatalf("%s %s: %v, want %s", method, path, err, code)
	}
}

func (b *bookWalk) marketIsSeen() {
	b.t.Helper()
	span := fmt.Sprintf("from=%s&to=%s", b.after(dirtyHours).Time().Format(time.RFC3339), b.after(dirtyHours+1).Time().Format(time.RFC3339))
	var depth api.Depth
	b.consumer.want(b.t, http.MethodGet, "/v1/market/cpu.standard/depth?region=europe-north1&carbon_price=1000&"+span, nil, &depth)
	// 24 mg at 1000 per tonne are 0.000024.
	if len(depth.Offers) != 1 || depth.Offers[0] != (api.Level{Price: price("0.050024"), Units: 60, Orders: 1}) ||
		len(depth.Bids) != 1 || depth.Bids[0] != (api.Level{Price: price("0.03"), Units: 8, Orders: 1}) {
		b.t.Fatalf("depth %+v", depth)
	}
	var top api.TopOfBook
	b.provider.want(b.t, http.MethodGet, "/v1/market/cpu.standard/top?"+span, nil, &top)
	if len(top.Regions) != 2 || top.Regions[0].Offer == nil || top.Regions[0].Offer.Price != price("0.05") || top.Regions[1].Offer != nil || top.Regions[1].Bid == nil {
		b.t.Fatalf("top %+v", top)
	}
	var heat api.HeatMap
	b.finance.want(b.t, http.MethodGet, "/v1/market/cpu.standard/heatmap?carbon_price=1000&hours=12&regions=us-central1,europe-north1", nil, &heat)
	if len(heat.Rows) != 2 || heat.Rows[0].Region != "us-central1" || len(heat.Rows[0].Cells) != 0 || len(heat.Rows[1].Cells) != 12 {
		b.t.Fatalf("heat map %+v", heat)
	}
	for _, cell := range heat.Rows[1].Cells {
		want := api.Level{Price: price("0.051178"), Units: 64, Orders: 1} // dirty
		switch {
		case cell.Hour == b.after(dirtyHours):
			want = api.Level{Price: price("0.050024"), Units: 60, Orders: 1}
		case cell.Hour > b.after(dirtyHours+cleanHours-1):
			want.Price = price("0.050793") // the mean
		case cell.Hour > b.after(dirtyHours):
			want.Price = price("0.050024")
		}
		if cell.Level != want {
			b.t.Fatalf("cell %+v, want %+v", cell, want)
		}
	}
}

// amend lowers the resting bid's units, then raises its limit, upon which it
// fills.
func (b *bookWalk) amend(bid corehour.BidID) {
	b.t.Helper()
	path := "/v1/bids/" + bid.String()
	var amended api.BidAmended
	b.consumer.want(b.t, http.MethodPatch, path, map[string]any{"units": 6}, &amended)
	if amended.Open != 6 || amended.Units != 6 || len(amended.Fills) != 0 || amended.Hold != corehour.Cost(price("0.03"), 6, 60) {
		b.t.Fatalf("fewer units: %+v", amended)
	}
	b.refused(b.consumer, http.MethodPatch, path, map[string]any{"limit_price": "0.06"}, exchange.CodeWouldTrade)
	// The provider comes to meet it.
	var offers api.Page[exchange.OfferView]
	b.provider.want(b.t, http.MethodGet, "/v1/offers?provider=north", nil, &offers)
	offer := "/v1/offers/" + offers.Items[0].ID.String()
	b.refused(b.provider, http.MethodPatch, offer, map[string]any{"units": 3}, exchange.CodeSold)
	var sale api.OfferAmended
	b.provider.want(b.t, http.MethodPatch, offer, map[string]any{"price": "0.03"}, &sale)
	if sale.Price != price("0.03") || len(sale.Fills) != 1 || sale.Fills[0].Bid != bid || sale.Fills[0].Units != 6 || sale.Fills[0].Price != price("0.03") {
		b.t.Fatalf("a lower price: %+v", sale)
	}
	b.refused(b.consumer, http.MethodPatch, path, map[string]any{"units": 2}, exchange.CodeClosed)
	b.provider.want(b.t, http.MethodPatch, offer, map[string]any{"price": "0.05", "units": 48}, &sale)
	if sale.Units != 48 || len(sale.Fills) != 0 {
		b.t.Fatalf("fewer units, dearer: %+v", sale)
	}
}

// oneOfTwo places a group whose first bid rests and whose second fills.
func (b *bookWalk) oneOfTwo() {
	b.t.Helper()
	group := api.PlaceBidGroup{Bids: []api.BidTerms{b.terms(2, "0.01"), b.terms(3, "0.06")}, ClientID: "either"}
	var placed, again api.BidGroupPlaced
	b.consumer.want(b.t, http.MethodPost, "/v1/bid-groups", group, &placed)
	if len(placed.Bids) != 2 || placed.Bids[0].Closed != corehour.CloseSiblingFilled || placed.Bids[1].Closed != corehour.CloseFilled || placed.Bids[1].Filled != 3 {
		b.t.Fatalf("group %+v", placed)
	}
	b.consumer.want(b.t, http.MethodPost, "/v1/bid-groups", group, &again)
	if fmt.Sprint(again) != fmt.Sprint(placed) {
		b.t.Fatalf("again %+v", again)
	}
	var view exchange.BidView
	b.consumer.want(b.t, http.MethodGet, "/v1/bids/"+placed.Bids[0].Bid.String(), nil, &view)
	if view.Closed != corehour.CloseSiblingFilled || view.Group != placed.Bids[0].Bid {
		b.t.Fatalf("sibling %+v", view)
	}
}

// takeBack cancels by client id, and everything of an account.
func (b *bookWalk) takeBack() {
	b.t.Helper()
	for _, id := range []string{"one", "two", "three"} {
		b.consumer.want(b.t, http.MethodPost, "/v1/bids", api.PlaceBid{BidTerms: b.terms(1, "0.01"), ClientID: id}, nil)
	}
	var closed api.Page[exchange.BidView]
	b.consumer.want(b.t, http.MethodDelete, "/v1/bids?client_id=two", nil, &closed)
	if len(closed.Items) != 1 || closed.Items[0].ClientID != "two" || closed.Items[0].Closed != corehour.CloseCancelled {
		b.t.Fatalf("by client id: %+v", closed)
	}
	b.refused(b.consumer, http.MethodDelete, "/v1/bids?client_id=nothing", nil, corehour.CodeNotFound)
	b.refused(b.stranger, http.MethodPost, "/v1/accounts/lab/cancel-all", map[string]any{}, corehour.CodeNotFound)
	var all api.CancelledAll
	b.consumer.want(b.t, http.MethodPost, "/v1/accounts/lab/cancel-all", map[string]any{}, &all)
	if all.Cancelled != 2 || all.More {
		b.t.Fatalf("all of the consumer: %+v", all)
	}
	b.operator.want(b.t, http.MethodPost, "/v1/accounts/north/cancel-all", map[string]any{"product": "cpu.standard"}, &all)
	var top api.TopOfBook
	b.consumer.want(b.t, http.MethodGet, "/v1/market/cpu.standard/top", nil, &top)
	if all.Cancelled != 1 || top.Regions[0].Offer != nil || top.Regions[0].Bid != nil {
		b.t.Fatalf("all of the provider: %+v, then %+v", all, top)
	}
	var view exchange.AccountView
	b.consumer.want(b.t, http.MethodGet, "/v1/accounts/lab", nil, &view)
	// Leases of 4 and 3 units at 0.05 and of 6 at 0.03, an hour each.
	if view.Held != corehour.Money(price("0.53")) {
		b.t.Fatalf("held %s", view.Held)
	}
	var check api.LedgerCheck
	b.finance.want(b.t, http.MethodGet, "/v1/ledger/check", nil, &check)
	if check.Sum != 0 || len(check.Findings)+len(check.Differences) != 0 {
		b.t.Fatalf("ledger %+v", check)
	}
}

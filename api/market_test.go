package api

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

func TestMarket_AsksWhatWasAsked(t *testing.T) {
	noon, two := minuteAt("2026-03-01T12:00:00Z"), minuteAt("2026-03-01T14:00:00Z")
	bid := exchange.PlaceBid{Product: "p", Consumer: labA, Units: 2, Duration: 60, Limit: 40_000_000, MinPiece: 30}
	for _, c := range []struct {
		who, method, target, body string
		want                      any
	}{
		{"consumer", "GET", "/v1/market/p/depth?region=eu", "", exchange.DepthQuery{Product: "p", Region: "eu"}},
		{"operator", "GET", "/v1/market/p/depth?region=eu&carbon_price=80.5&from=2026-03-01T12:00:00Z&to=2026-03-01T15:00:00%2B01:00&levels=5", "",
			exchange.DepthQuery{Product: "p", Region: "eu", CarbonPrice: 80_500_000_000, From: noon, To: two, Levels: 5}},
		{"finance", "GET", "/v1/market/p/top", "", exchange.TopQuery{Product: "p"}},
		{"provider", "GET", "/v1/market/p/top?carbon_price=80&from=2026-03-01T12:00:00Z&to=2026-03-01T14:00:00Z", "",
			exchange.TopQuery{Product: "p", CarbonPrice: 80_000_000_000, From: noon, To: two}},
		{"consumer", "GET", "/v1/market/p/heatmap", "", exchange.HeatQuery{Product: "p"}},
		{"consumer", "GET", "/v1/market/p/heatmap?carbon_price=80&from=2026-03-01T12:00:00Z&hours=168&regions=eu,us", "",
			exchange.HeatQuery{Product: "p", CarbonPrice: 80_000_000_000, From: noon, Hours: 168, Regions: []corehour.RegionID{"eu", "us"}}},
		{"consumer", "POST", "/v1/quotes", `{"product":"p","units":2,"duration_minutes":60,"limit_price":"0.04","min_piece_minutes":30}`, bid},
		{"consumer", "GET", "/v1/bids/bid-1/explanation", "", openQuery{labA, 1}},
		{"finance", "GET", "/v1/bids/bid-1/explanation", "", openQuery{labA, 1}},
	} {
		f := newFixture(t)
		if a := f.ask(t, c.who, c.method, c.target, c.body); a.status != 200 {
			t.Errorf("%s: %d %s", c.target, a.status, a.body)
		}
		if got := f.exchange.asked(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s asked %+v, want %+v", c.target, got, c.want)
		}
		f.requireUntouched(t)
	}
}

func TestMarket_AnswersInFull(t *testing.T) {
	const quote = `{"filled":false,"open":4,"left_minutes":120,"cost":"0.756","hold":"1.28","fills":[` +
		`{"offer":"offer-1","provider":"dc-north","region":"europe-north1","units":12,"start":"2026-03-01T12:00:00Z","end":"2026-03-01T14:00:00Z","price":"0.0315","carbon_g":"3.25"}],` +
		`"changes":[{"condition":"price","limit_price":"0.045"},{"condition":"carbon","max_carbon_g":"310.00"},{"condition":"region","region":"us-east1"},` +
		`{"condition":"window","latest_end":"2026-03-02T13:00:00Z"},{"condition":"size","units":12},{"condition":"provider","provider":"dc-south"},` +
		`{"condition":"sla","min_sla":"basic"},{"condition":"interruptible"},{"condition":"take_or_pay","max_take_or_pay_bps":2500}]}`
	for _, c := range []struct{ method, target, body, want string }{
		{"POST", "/v1/quotes", goodQuote(), quote},
		{"GET", "/v1/bids/bid-1/explanation", "", quote},
		{"GET", "/v1/market/p/depth?region=eu&carbon_price=80&from=2026-03-01T12:00:00Z&to=2026-03-01T14:00:00Z", "",
			`{"product":"p","region":"eu","carbon_price":"80.00","from":"2026-03-01T12:00:00Z","to":"2026-03-01T14:00:00Z",` +
				`"offers":[{"price":"0.0315","units":64,"orders":2},{"price":"0.033","units":8,"orders":1}],"bids":[{"price":"0.03","units":16,"orders":1}]}`},
		{"GET", "/v1/market/p/top?from=2026-03-01T12:00:00Z&to=2026-03-01T14:00:00Z", "",
			`{"product":"p","carbon_price":"0.00","from":"2026-03-01T12:00:00Z","to":"2026-03-01T14:00:00Z","regions":[` +
				`{"region":"europe-north1","offer":{"price":"0.0315","units":64,"orders":2},"bid":{"price":"0.03","units":16,"orders":1}},{"region":"us-east1"}]}`},
		{"GET", "/v1/market/p/heatmap", "",
			`{"product":"p","carbon_price":"0.00","from":"2026-03-01T12:00:00Z","hours":3,"rows":[{"region":"europe-north1","cells":[` +
				`{"hour":"2026-03-01T12:00:00Z","price":"0.0315","units":64,"orders":2},{"hour":"2026-03-01T14:00:00Z","price":"0.029","units":4,"orders":1}]},` +
				`{"region":"us-east1","cells":[]}]}`},
		{"GET", "/v1/zones", "", `{"items":[{"id":"FI","mean_g_per_kwh":"93.50"},{"id":"DE","mean_g_per_kwh":"344.00"}]}`},
		{"GET", "/v1/zones/DE", "", `{"id":"DE","mean_g_per_kwh":"344.00"}`},
		{"GET", "/v1/zones/FI/intensity", "", `{"zone":"FI","mean_g_per_kwh":"93.50","from":"2026-03-01T12:00:00Z","values_g_per_kwh":["90.00","12.345"]}`},
		{"GET", "/v1/zones/DE/intensity", "", `{"zone":"DE","mean_g_per_kwh":"344.00","values_g_per_kwh":[]}`},
	} {
		f := newFixture(t)
		if a := f.ask(t, "consumer", c.method, c.target, c.body); a.status != 200 || strings.TrimSpace(a.body) != c.want {
			t.Errorf("%s: %d\n%swant\n%s", c.target, a.status, a.body, c.want)
		}
	}
}

// What the exchange refuses of a question is placed where the caller wrote it.
func TestMarket_RefusedQuestionsSayWhatIsToBlame(t *testing.T) {
	for _, c := range []struct {
		method, target, body string
		code                 corehour.Code
		field                string
		status               int
		want                 corehour.Code
		at                   string
	}{
		{"GET", "/v1/market/x/depth?region=eu", "", exchange.CodeUnknownProduct, "product", 404, corehour.CodeNotFound, ""},
		{"GET", "/v1/market/x/top", "", exchange.CodeUnknownProduct, "product", 404, corehour.CodeNotFound, ""},
		{"GET", "/v1/market/x/heatmap", "", exchange.CodeUnknownProduct, "product", 404, corehour.CodeNotFound, ""},
		{"GET", "/v1/market/p/depth?region=eu", "", exchange.CodeUnknownRegion, "region", 422, exchange.CodeUnknownRegion, "query.region"},
		{"GET", "/v1/market/p/top?to=2026-03-01T12:00:00Z", "", exchange.CodeWindowPassed, "to", 422, exchange.CodeWindowPassed, "query.to"},
		{"GET", "/v1/market/p/heatmap?from=2026-03-01T12:30:00Z", "", exchange.CodeOutOfRange, "from", 422, exchange.CodeOutOfRange, "query.from"},
		{"POST", "/v1/quotes", goodQuote(), exchange.CodeUnknownProduct, "product", 422, exchange.CodeUnknownProduct, "body.product"},
		{"POST", "/v1/quotes", goodQuote(), exchange.CodeUnknownAccount, "consumer", 422, exchange.CodeUnknownAccount, ""},
		{"GET", "/v1/bids/bid-1/explanation", "", exchange.CodeUnknownBid, "bid", 409, exchange.CodeClosed, "path.bid"},
	} {
		f := newFixture(t)
		f.exchange.queryErr = &corehour.Error{Kind: corehour.KindRejected, Code: c.code, Field: c.field, Message: "in words"}
		if a := f.ask(t, "consumer", c.method, c.target, c.body); a.status != c.status || a.problem.Code != c.want || a.problem.Field != c.at {
			t.Errorf("%s %s: %d %s", c.target, c.code, a.status, a.body)
		}
	}
	f := newFixture(t)
	f.exchange.queryErr = corehour.Internal("exchange.depth", http.ErrBodyNotAllowed)
	if a := f.ask(t, "consumer", "GET", "/v1/market/p/depth?region=eu", ""); a.status != 500 || a.problem.Code != corehour.CodeInternal {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestZones_RefusalsSayWhatIsToBlame(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Code: exchange.CodeUnknownZone, Field: "zone", Message: "there is no such zone"}
	if a := f.ask(t, "operator", "PUT", "/v1/zones/FI/intensity", goodIntensity); a.status != 404 || a.problem.Code != corehour.CodeNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeTooMany, Field: "id", Message: "there are too many"}
	if a := f.ask(t, "operator", "PUT", "/v1/zones/FI", `{"mean_g_per_kwh":"1"}`); a.status != 422 || a.problem.Code != exchange.CodeTooMany || a.problem.Field != "path.zone" {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeWindowPassed, Field: "from", Message: "all of it is over"}
	if a := f.ask(t, "operator", "PUT", "/v1/zones/FI/intensity", goodIntensity); a.status != 422 || a.problem.Field != "body.from" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

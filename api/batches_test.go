package api

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

const (
	goodBids = `{"items":[{"product":"cpu.standard","units":16,"duration_minutes":120,"limit_price":"0.04","client_id":"b-1"},` +
		`{"product":"cpu.standard","units":8,"duration_minutes":240,"limit_price":"0.05","client_id":"b-2"}]}`
	goodOffers = `{"items":[{"product":"cpu.standard","region":"europe-north1","units":64,"to":"2026-04-01T00:00:00Z","price":"0.0315","carbon_g":"3.25","sla":"standard","client_id":"o-1"},` +
		`{"product":"cpu.standard","region":"us-east1","units":8,"to":"2026-04-01T00:00:00Z","price":"0.03","carbon_g":"310","sla":"basic"}]}`
)

// batchOf is a body of so many of an item.
func batchOf(n int, item string) string {
	return `{"items":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`
}

func batchEndpoints() []endpoint {
	bid := func(change string) string { return strings.Replace(goodBids, `"units":8`, change, 1) }
	offer := func(change string) string { return strings.Replace(goodOffers, `"units":8`, change, 1) }
	return []endpoint{
		{id: "place-bids", method: "POST", path: "/v1/bids/batch", who: "consumer", others: except("consumer"), body: goodBids, bad: []badRequest{
			invalid("no bid", `{"items":[]}`, oor, "body.items"),
			invalid("1001 bids", batchOf(1001, `{"product":"p","units":1,"duration_minutes":1,"limit_price":"1"}`), corehour.CodeTooManyItems, "body.items"),
			invalid("units 0", bid(`"units":0`), oor, "body.items[1].units"),
			invalid("min_fill above units", bid(`"units":8,"min_fill":9`), oor, "body.items[1].min_fill"),
			invalid("price off the tick", strings.Replace(goodBids, `"0.05"`, `"0.0500001"`, 1), "price_off_tick", "body.items[1].limit_price"),
			invalid("consumer given", bid(`"units":8,"consumer":"lab-b"`), CodeUnknownField, "body.items[1].consumer"),
			invalid("client id empty", strings.Replace(goodBids, `"b-2"`, `""`, 1), oor, "body.items[1].client_id"),
		}},
		{id: "place-offers", method: "POST", path: "/v1/offers/batch", who: "provider", others: except("provider"), body: goodOffers, bad: []badRequest{
			invalid("no offer", `{"items":[]}`, oor, "body.items"),
			invalid("1001 offers", batchOf(1001, `{"product":"p","region":"r","units":1,"to":"2026-04-01T00:00:00Z","price":"1","carbon_g":"0","sla":"basic"}`), corehour.CodeTooManyItems, "body.items"),
			invalid("units 0", offer(`"units":0`), oor, "body.items[1].units"),
			invalid("both carbon and energy", offer(`"units":8,"energy_wh":"2.3"`), "mutually_exclusive", "body.items[1].energy_wh"),
			invalid("provider given", offer(`"units":8,"provider":"dc-south"`), CodeUnknownField, "body.items[1].provider"),
		}},
	}
}

func TestPlaceBids_AnswersEachInItsOrder(t *testing.T) {
	f := newFixture(t)
	f.exchange.replies = []exchange.Reply{
		{Bid: 7, Closed: corehour.CloseFilled, Hold: 1_008_000_000, Fills: fillOf(120)},
		{Code: exchange.CodeInsufficientFunds, Field: "limit_price", Message: "the bid may cost 5"},
		{Bid: 4, Open: 8, Hold: 1_600_000_000, Repeat: true},
		{Code: exchange.CodeUnknownAccount, Field: "consumer", Message: "there is no account lab-a"},
	}
	more := strings.Replace(goodBids, `]}`, `,{"product":"p","units":8,"duration_minutes":240,"limit_price":"0.05"},{"product":"p","units":1,"duration_minutes":1,"limit_price":"1"}]}`, 1)
	a := f.ask(t, "consumer", "POST", "/v1/bids/batch", more)
	want := `{"items":[` +
		`{"status":201,"placed":{"bid":"bid-7","status":"closed","units":16,"filled":16,"open":0,"left_minutes":0,"closed":"filled","hold":"1.008","fills":[` + oneFill + `]}},` +
		`{"status":402,"problem":{"type":"urn:corehour:problem:insufficient_funds","title":"Insufficient funds","status":402,"detail":"the bid may cost 5","code":"insufficient_funds","field":"body.items[1].limit_price"}},` +
		`{"status":200,"placed":{"bid":"bid-4","status":"open","units":8,"filled":0,"open":8,"left_minutes":240,"hold":"1.60","fills":[]}},` +
		`{"status":422,"problem":{"type":"urn:corehour:problem:unknown_account","title":"Unknown account","status":422,"detail":"there is no account lab-a","code":"unknown_account","field":"body.items[3]"}}]}`
	if a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("%d\n%swant\n%s", a.status, a.body, want)
	}
}

func TestPlaceOffers_AnswersEachInItsOrder(t *testing.T) {
	f := newFixture(t)
	f.exchange.replies = []exchange.Reply{
		{Code: exchange.CodeUnknownRegion, Field: "region", Message: "there is no such region"},
		{Offer: 3, Closed: corehour.CloseCancelled},
	}
	a := f.ask(t, "provider", "POST", "/v1/offers/batch", goodOffers)
	want := `{"items":[` +
		`{"status":422,"problem":{"type":"urn:corehour:problem:unknown_region","title":"Unknown region","status":422,"detail":"there is no such region","code":"unknown_region","field":"body.items[0].region"}},` +
		`{"status":201,"placed":{"offer":"offer-3","status":"closed","units":8,"closed":"cancelled","fills":[]}}]}`
	if a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("%d\n%swant\n%s", a.status, a.body, want)
	}
}

// A batch is the same commands, in the same order, as its orders one by one.
func TestBatches_SayExactlyWhatTheirOrdersSay(t *testing.T) {
	for path, c := range map[string]struct{ who, one string }{
		"/v1/bids": {"consumer", goodBid}, "/v1/offers": {"provider", goodOffer},
	} {
		f := newFixture(t)
		f.exchange.reply.Bid, f.exchange.reply.Offer = 1, 1
		var items []string
		for i := range 1000 {
			one := with(c.one, "client_id", fmt.Sprintf(`"n-%d"`, i))
			items = append(items, one)
			if a := f.ask(t, c.who, "POST", path, one); a.status != 201 {
				t.Fatal(a.body)
			}
		}
		single := f.exchange.taken()
		if a := f.ask(t, c.who, "POST", path+"/batch", `{"items":[`+strings.Join(items, ",")+`]}`); a.status != 200 {
			t.Fatal(a.body)
		}
		if got := f.exchange.taken(); len(got) != 1000 || !reflect.DeepEqual(got, single) {
			t.Errorf("%s: %d commands, not those of the orders by themselves", path, len(got))
		}
	}
}

func TestBatches_ListWhatIsWrongWithTheItems(t *testing.T) {
	f := newFixture(t)
	a := f.ask(t, "consumer", "POST", "/v1/bids/batch", batchOf(20, `{"product":"p","units":1,"duration_minutes":1,"limit_price":"0","min_fill":2}`))
	if a.status != 422 || len(a.problem.Errors) != MaxFieldProblems || a.problem.Errors[15].Field != "body.items[7].min_fill" {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.requireUntouched(t)
}

// Where nothing is known of some of the orders, the whole request says so.
func TestBatches_WithoutAnAnswerAreUnavailable(t *testing.T) {
	f := newFixture(t)
	f.exchange.err = context.DeadlineExceeded
	for path, c := range map[string]struct{ who, body string }{
		"/v1/bids/batch": {"consumer", goodBids}, "/v1/offers/batch": {"provider", goodOffers},
	} {
		if a := f.ask(t, c.who, "POST", path, c.body); a.status != 503 || a.problem.Code != corehour.CodeUnavailable {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

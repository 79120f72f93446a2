package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

const oneFill = `{"lease":"lease-8","bid":"bid-7","offer":"offer-1","provider":"dc-north","region":"europe-north1","units":16,` +
	`"start":"2026-03-01T12:00:00Z","end":"2026-03-01T14:00:00Z","price":"0.0315","carbon_g":"3.25"}`

func fillOf(minutes corehour.Minutes) []exchange.Fill {
	start := minuteAt("2026-03-01T12:00:00Z")
	return []exchange.Fill{{Lease: 8, Bid: 7, Offer: 1, Provider: dcNorth, Region: "europe-north1", Units: 16,
		Start: start, End: start.Add(minutes), Price: 31_500_000, Carbon: 3250}}
}

func TestPlaceBid_WhatIsOpenIsSoughtForTheWholeDuration(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Bid: 7, Open: 4, Hold: 1_168_000_000}
	want := `"status":"open","units":16,"filled":0,"open":4,"left_minutes":120,"hold"`
	if a := f.ask(t, "consumer", "POST", "/v1/bids", with(goodBid, "min_piece_minutes", "")); a.status != 201 || !strings.Contains(a.body, want) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A bid in pieces has filled nothing before its last piece is found, though each
// piece has all of its units.
func TestPlaceBid_PiecesFillWhenTheLastIsFound(t *testing.T) {
	for _, c := range []struct {
		reply exchange.Reply
		want  string
	}{
		{exchange.Reply{Bid: 7, Open: 16, Left: 60, Fills: fillOf(60)}, `"status":"open","units":16,"filled":0,"open":16,"left_minutes":60,`},
		{exchange.Reply{Bid: 7, Closed: corehour.CloseFilled, Fills: fillOf(120)}, `"status":"closed","units":16,"filled":16,"open":0,"left_minutes":0,"closed":"filled",`},
		{exchange.Reply{Bid: 7, Closed: corehour.CloseUnfilled, Fills: fillOf(60)}, `"status":"closed","units":16,"filled":0,"open":0,"left_minutes":0,"closed":"unfilled",`},
	} {
		f := newFixture(t)
		f.exchange.reply = c.reply
		if a := f.ask(t, "consumer", "POST", "/v1/bids", goodBid); a.status != 201 || !strings.Contains(a.body, c.want) {
			t.Errorf("%d %s\nwant %s", a.status, a.body, c.want)
		}
	}
}

func TestPlaceBidGroup_AnswersForEachMemberAndARepeatGetsTheSame(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Members: []exchange.Reply{
		{Code: exchange.CodeWouldTrade, Field: "post_only", Message: "it would trade"},
		{Bid: 7, Closed: corehour.CloseFilled, Hold: 1_008_000_000, Fills: fillOf(120)},
		{Closed: corehour.CloseSiblingFilled},
	}}
	third := strings.Replace(goodGroup, `],"client_id"`, `,{"product":"gpu.h100","units":1,"duration_minutes":60,"limit_price":"2"}],"client_id"`, 1)
	group := strings.Replace(third, `"units":8`, `"units":16`, 1)
	want := `{"bids":[` +
		`{"status":"closed","units":16,"filled":0,"open":0,"left_minutes":0,"hold":"0.00","fills":[],"code":"would_trade","field":"body.bids[0].post_only","detail":"it would trade"},` +
		`{"bid":"bid-7","status":"closed","units":16,"filled":16,"open":0,"left_minutes":0,"closed":"filled","hold":"1.008","fills":[` + oneFill + `]},` +
		`{"status":"closed","units":1,"filled":0,"open":0,"left_minutes":0,"closed":"sibling_filled","hold":"0.00","fills":[]}]}`
	first := f.ask(t, "consumer", "POST", "/v1/bid-groups", group)
	if first.status != 201 || strings.TrimSpace(first.body) != want {
		t.Errorf("%d\n%swant\n%s", first.status, first.body, want)
	}
	f.exchange.reply.Repeat = true
	again := f.ask(t, "consumer", "POST", "/v1/bid-groups", group)
	if again.status != 200 || again.body != first.body || again.header.Get(replayHeader) != "true" {
		t.Errorf("%d %v\n%s", again.status, again.header, again.body)
	}
}

func TestPlaceBidGroup_WhereEachWouldTradeNoneIsPlaced(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Code: exchange.CodeWouldTrade, Field: "post_only", Message: "each bid of the group would trade at once"}
	if a := f.ask(t, "consumer", "POST", "/v1/bid-groups", goodGroup); a.status != 409 || a.problem.Code != exchange.CodeWouldTrade || a.problem.Field != "body.bids" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Everything that is wrong with the members is listed, up to the limit.
func TestPlaceBidGroup_ListsWhatIsWrongWithEachMember(t *testing.T) {
	f := newFixture(t)
	bad := strings.NewReplacer(`"0.04"`, `"0"`, `"0.05"`, `"0.0000001"`).Replace(goodGroup)
	a := f.ask(t, "consumer", "POST", "/v1/bid-groups", bad)
	if a.status != 422 || len(a.problem.Errors) != 2 || a.problem.Errors[0].Field != "body.bids[0].limit_price" || a.problem.Errors[1].Field != "body.bids[1].limit_price" {
		t.Errorf("%d %s", a.status, a.body)
	}
	member := `{"product":"p","units":1,"duration_minutes":1,"limit_price":"0","min_fill":2}`
	a = f.ask(t, "consumer", "POST", "/v1/bid-groups", `{"bids":[`+strings.Repeat(member+",", 15)+member+`]}`)
	if a.status != 422 || len(a.problem.Errors) != MaxFieldProblems {
		t.Errorf("%d problems: %d %s", len(a.problem.Errors), a.status, a.body)
	}
	f.requireUntouched(t)
	f.exchange.reply = exchange.Reply{Code: exchange.CodeInsufficientFunds, Field: "bids[1].limit_price", Message: "in words"}
	if a := f.ask(t, "consumer", "POST", "/v1/bid-groups", goodGroup); a.status != 402 || a.problem.Field != "body.bids[1].limit_price" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAmendBid_AnswersWithTheBidAndItsNewLeases(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Bid: 1, Open: 4, Left: 120, Hold: 1_168_000_000, Fills: fillOf(120)}
	a := f.ask(t, "consumer", "PATCH", "/v1/bids/bid-1", `{"limit_price":"0.05"}`)
	if a.status != 200 || !strings.Contains(a.body, `"id":"bid-1"`) || !strings.Contains(a.body, `"filled":16,"open":4,`) ||
		!strings.Contains(a.body, `"hold":"1.168","fills":[`+oneFill+`]}`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	for code, status := range map[corehour.Code]int{exchange.CodeInsufficientFunds: 402, exchange.CodeWouldTrade: 409, exchange.CodePiecesTaken: 409, exchange.CodeOutOfRange: 422} {
		f.exchange.reply = exchange.Reply{Code: code, Field: "limit_price", Message: "in words"}
		if a := f.ask(t, "consumer", "PATCH", "/v1/bids/bid-1", `{"limit_price":"0.05"}`); a.status != status || a.problem.Code != code || a.problem.Field != "body.limit_price" {
			t.Errorf("%s: %d %s", code, a.status, a.body)
		}
	}
}

func TestAmendOffer_AnswersWithTheOfferAndWhatItSold(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Offer: 1, Fills: fillOf(120)}
	a := f.ask(t, "provider", "PATCH", "/v1/offers/offer-1", `{"price":"0.02"}`)
	if a.status != 200 || !strings.Contains(a.body, `"id":"offer-1"`) || !strings.Contains(a.body, `"client_id":"north-1"`) || !strings.Contains(a.body, `"fills":[`+oneFill+`]}`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeSold, Field: "units", Message: "in words"}
	if a := f.ask(t, "provider", "PATCH", "/v1/offers/offer-1", `{"units":1}`); a.status != 409 || a.problem.Code != exchange.CodeSold || a.problem.Field != "body.units" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestCancelByClientID_AnswersWithWhatItClosed(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Bid: 1}
	single := f.ask(t, "consumer", "DELETE", "/v1/bids?client_id=b-1", "")
	f.exchange.reply = exchange.Reply{Members: []exchange.Reply{{Bid: 1}, {Bid: 1}}}
	group := f.ask(t, "consumer", "DELETE", "/v1/bids?client_id=g-1", "")
	if n := strings.Count(single.body, `"id":"bid-1"`); single.status != 200 || n != 1 {
		t.Errorf("%d, %d bids: %s", single.status, n, single.body)
	}
	if n := strings.Count(group.body, `"id":"bid-1"`); group.status != 200 || n != 2 {
		t.Errorf("%d, %d bids: %s", group.status, n, group.body)
	}
	f.exchange.reply = exchange.Reply{Offer: 1}
	if a := f.ask(t, "provider", "DELETE", "/v1/offers?client_id=o-1", ""); a.status != 200 || !strings.HasPrefix(a.body, `{"id":"offer-1"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestCancelByClientID_AnUnknownNameIsNotFoundAndAClosedOrderAConflict(t *testing.T) {
	for _, c := range []struct {
		who, target string
		reply       corehour.Code
		status      int
		want        corehour.Code
	}{
		{"consumer", "/v1/bids?client_id=x", exchange.CodeUnknownBid, 404, corehour.CodeNotFound},
		{"provider", "/v1/offers?client_id=x", exchange.CodeUnknownOffer, 404, corehour.CodeNotFound},
		{"consumer", "/v1/bids?client_id=x", exchange.CodeClosed, 409, exchange.CodeClosed},
		{"provider", "/v1/offers?client_id=x", exchange.CodeClosed, 409, exchange.CodeClosed},
	} {
		f := newFixture(t)
		f.exchange.reply = exchange.Reply{Code: c.reply, Field: "client_id", Message: "in words"}
		if a := f.ask(t, c.who, "DELETE", c.target, ""); a.status != c.status || a.problem.Code != c.want || a.problem.Field != "query.client_id" {
			t.Errorf("%s %s: %d %s", c.target, c.reply, a.status, a.body)
		}
	}
}

func TestCancelAll_SaysHowManyAndWhetherMoreAreLeft(t *testing.T) {
	f := newFixture(t)
	for _, more := range []bool{true, false} {
		f.exchange.reply = exchange.Reply{Cancelled: 10_000, More: more}
		want := fmt.Sprintf(`{"cancelled":10000,"more":%t}`, more)
		if a := f.ask(t, "operator", "POST", "/v1/accounts/dc-north/cancel-all", `{}`); a.status != 200 || strings.TrimSpace(a.body) != want {
			t.Errorf("%d %s, want %s", a.status, a.body, want)
		}
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeUnknownAccount, Field: "account", Message: "there is no such account"}
	if a := f.ask(t, "operator", "POST", "/v1/accounts/nobody/cancel-all", `{}`); a.status != 404 || a.problem.Code != corehour.CodeNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeUnknownProduct, Field: "product", Message: "there is no such product"}
	if a := f.ask(t, "consumer", "POST", "/v1/accounts/lab-a/cancel-all", `{"product":"x"}`); a.status != 422 || a.problem.Field != "body.product" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

func minuteAt(text string) corehour.Minute {
	var m corehour.Minute
	if err := m.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return m
}

func ptr[T any](v T) *T { return &v }

func instantAt(text string) corehour.Instant {
	var i corehour.Instant
	if err := i.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return i
}

func TestCommands_SayExactlyWhatWasAsked(t *testing.T) {
	carbon, share := corehour.CarbonRate(100_000), corehour.BasisPoints(5000)
	fullBid := exchange.PlaceBid{
		Product: "cpu.standard", Consumer: labA, Units: 16, Duration: 120,
		EarliestStart: minuteAt("2026-03-01T12:00:00Z"), LatestEnd: minuteAt("2026-03-02T12:00:00Z"), Limit: 40_000_000,
		Regions:    corehour.Allowed[corehour.RegionID]{Allow: []corehour.RegionID{"europe-north1"}, Deny: []corehour.RegionID{"us-east1"}},
		Providers:  corehour.Allowed[corehour.AccountID]{Allow: []corehour.AccountID{dcNorth}, Deny: []corehour.AccountID{dcSouth}},
		Countries:  corehour.Allowed[string]{Allow: []string{"FI", "SE"}, Deny: []string{"US"}},
		Continents: corehour.Allowed[string]{Allow: []string{"europe"}, Deny: []string{"asia"}}, MaxTakeOrPay: &share, MinPiece: 60, PostOnly: true,
		MaxCarbon: &carbon, CarbonPrice: 80_500_000_000, MinSLA: corehour.SLAStandard, Interruptible: true, MinFill: 4, MaxLeases: 3,
		CoverInterrupted: true,
		TimeInForce:      corehour.GoodTillTime, ExpiresAt: instantAt("2026-03-01T18:00:00Z"), ClientID: "b-1",
	}
	for _, c := range []struct {
		name, who, method, target, body string
		want                            exchange.Command
	}{
		{"a product", "operator", "POST", "/v1/products", `{"id":"gpu.h100","unit":"1 GPU, 80 GB"}`,
			exchange.DefineProduct{Product: corehour.Product{ID: "gpu.h100", Unit: "1 GPU, 80 GB"}}},
		{"a region", "operator", "POST", "/v1/regions", `{"id":"eu-north1","country":"SE","continent":"europe","zone":"SE-SE1"}`,
			exchange.DefineRegion{Region: corehour.Region{ID: "eu-north1", Country: "SE", Continent: "europe", Zone: "SE-SE1"}}},
		{"an account", "operator", "POST", "/v1/accounts", `{"account":"lab-c","org":"college","name":"Laboratory \"C\" 😀"}`,
			exchange.OpenAccount{Account: "lab-c", Org: "college", Name: `Laboratory "C" 😀`}},
		{"a deposit", "finance", "POST", "/v1/accounts/lab-c/deposits", `{"amount":"1000.000000001","reference":"wire-1"}`,
			exchange.Deposit{Account: "lab-c", Amount: 1_000_000_000_001, Reference: "wire-1"}},
		{"a payout", "finance", "POST", "/v1/accounts/lab-c/payouts", `{"amount":"0.5","reference":"wire-2"}`,
			exchange.PayOut{Account: "lab-c", Amount: 500_000_000, Reference: "wire-2"}},
		{"a full offer", "provider", "POST", "/v1/offers", goodOffer, exchange.PlaceOffer{
			Product: "cpu.standard", Provider: dcNorth, Region: "europe-north1", Units: 64,
			From: minuteAt("2026-03-01T12:00:00Z"), To: minuteAt("2026-04-01T00:00:00Z"), Price: 31_500_000, Carbon: 3250,
			SLA: corehour.SLAStandard, Interruptible: true, MinFill: 2, MinDuration: 60, TakeOrPay: 2500, PostOnly: true, ClientID: "o-1"}},
		{"a bare offer", "provider", "POST", "/v1/offers",
			`{"product":"p","region":"r","units":1,"to":"2026-04-01T02:00:00+02:00","price":"1","carbon_g":"0","sla":"basic"}`, exchange.PlaceOffer{
				Product: "p", Provider: dcNorth, Region: "r", Units: 1, To: minuteAt("2026-04-01T00:00:00Z"), Price: 1_000_000_000, SLA: corehour.SLABasic}},
		{"a full bid", "consumer", "POST", "/v1/bids", goodBid, fullBid},
		{"a bare bid", "consumer", "POST", "/v1/bids", `{"product":"p","units":1,"duration_minutes":1,"limit_price":"0.000001"}`,
			exchange.PlaceBid{Product: "p", Consumer: labA, Units: 1, Duration: 1, Limit: 1000}},
		{"an offer that follows its grid", "provider", "POST", "/v1/offers",
			`{"product":"p","region":"r","units":1,"to":"2026-04-01T00:00:00Z","price":"1","energy_wh":"2.355","zone":"FI","sla":"basic"}`, exchange.PlaceOffer{
				Product: "p", Provider: dcNorth, Region: "r", Units: 1, To: minuteAt("2026-04-01T00:00:00Z"), Price: 1_000_000_000, Energy: 2355, Zone: "FI", SLA: corehour.SLABasic}},
		{"a bid that accepts no take-or-pay", "consumer", "POST", "/v1/bids", `{"product":"p","units":1,"duration_minutes":1,"limit_price":"0.000001","max_take_or_pay_bps":0}`,
			exchange.PlaceBid{Product: "p", Consumer: labA, Units: 1, Duration: 1, Limit: 1000, MaxTakeOrPay: new(corehour.BasisPoints)}},
		{"a group", "consumer", "POST", "/v1/bid-groups", goodGroup, exchange.PlaceBidGroup{Consumer: labA, ClientID: "g-1", Bids: []exchange.PlaceBid{
			{Product: "cpu.standard", Consumer: labA, Units: 16, Duration: 120, Limit: 40_000_000},
			{Product: "cpu.standard", Consumer: labA, Units: 8, Duration: 240, Limit: 50_000_000}}}},
		{"every change of a bid", "consumer", "PATCH", "/v1/bids/bid-1", goodBidChange, exchange.AmendBid{
			Consumer: labA, Bid: 1, Units: ptr[corehour.Units](12), Limit: ptr[corehour.Price](45_000_000),
			EarliestStart: ptr(minuteAt("2026-03-01T13:00:00Z")), LatestEnd: ptr(minuteAt("2026-03-03T12:00:00Z")),
			MaxCarbon: ptr[corehour.CarbonRate](150_000), CarbonPrice: ptr[corehour.CarbonPrice](100_000_000_000),
			MinFill: ptr[corehour.Units](2), ExpiresAt: ptr(instantAt("2026-03-01T20:00:00Z"))}},
		{"one change of a bid", "consumer", "PATCH", "/v1/bids/bid-1", `{"carbon_price":"0"}`, exchange.AmendBid{Consumer: labA, Bid: 1, CarbonPrice: new(corehour.CarbonPrice)}},
		{"every change of an offer", "provider", "PATCH", "/v1/offers/offer-1", goodSaleChange, exchange.AmendOffer{
			Provider: dcNorth, Offer: 1, Units: ptr[corehour.Units](32), Price: ptr[corehour.Price](29_500_000),
			From: ptr(minuteAt("2026-03-01T13:00:00Z")), To: ptr(minuteAt("2026-05-01T00:00:00Z")), MinFill: ptr[corehour.Units](4), MinDuration: ptr[corehour.Minutes](30)}},
		{"no bid of a name any more", "consumer", "DELETE", "/v1/bids?client_id=b-1", "", exchange.CancelBid{Consumer: labA, ClientID: "b-1"}},
		{"no offer of a name any more", "provider", "DELETE", "/v1/offers?client_id=o-1", "", exchange.CancelOffer{Provider: dcNorth, ClientID: "o-1"}},
		{"no order any more", "consumer", "POST", "/v1/accounts/lab-a/cancel-all", `{}`, exchange.CancelAll{Account: labA}},
		{"no order of a product any more", "provider", "POST", "/v1/accounts/dc-north/cancel-all", `{"product":"p"}`, exchange.CancelAll{Account: dcNorth, Product: "p"}},
		{"no order of a provider any more", "operator", "POST", "/v1/accounts/dc-north/cancel-all", `{}`, exchange.CancelAll{Account: dcNorth}},
		{"a zone", "operator", "PUT", "/v1/zones/FI", `{"mean_g_per_kwh":"93.5"}`, exchange.DefineZone{Zone: corehour.Zone{ID: "FI", Mean: 93_500}}},
		{"a curve", "operator", "PUT", "/v1/zones/FI/intensity", goodIntensity, exchange.SetIntensity{
			Zone: "FI", From: minuteAt("2026-03-01T12:00:00Z"), Values: []corehour.Intensity{93_500, 0, 10_000_000}}},
		{"no offer any more", "provider", "DELETE", "/v1/offers/offer-1", "", exchange.CancelOffer{Provider: dcNorth, Offer: 1}},
		{"no bid any more", "consumer", "DELETE", "/v1/bids/bid-1", "", exchange.CancelBid{Consumer: labA, Bid: 1}},
		{"acceptance", "provider", "POST", "/v1/leases/lease-1/accept", "", exchange.AcceptLease{Provider: dcNorth, Lease: 1}},
		{"a start", "provider", "POST", "/v1/leases/lease-1/start", "", exchange.StartLease{Provider: dcNorth, Lease: 1}},
		{"an end now", "provider", "POST", "/v1/leases/lease-1/end", `{}`, exchange.EndLease{Account: dcNorth, Lease: 1}},
		{"an end by the consumer", "consumer", "POST", "/v1/leases/lease-1/end", `{"ended_at":"2026-03-01T13:00:00.000001Z"}`,
			exchange.EndLease{Account: labA, Lease: 1, EndedAt: instantAt("2026-03-01T13:00:00Z") + 1}},
		{"all rules of leases", "operator", "PUT", "/v1/lease-rules", goodRules, exchange.SetLeaseRules{Rules: corehour.LeaseRules{
			AcceptWithin: 900, StartWithin: 600, HeartbeatEvery: 30, SuspectAfter: 90, FailAfter: 300, RecoverBeats: 3, MassShare: 5000, MassLeast: 5,
			OutageAfter: 60, InterruptionNotice: 120, Cover: true, CoverExtra: 10_000, BondShare: 500, CreditBasic: 100, CreditStandard: 1000, CreditPremium: 2500}}},
		{"no rules of leases", "operator", "PUT", "/v1/lease-rules", `{}`, exchange.SetLeaseRules{}},
		{"heartbeats", "provider", "POST", "/v1/leases/heartbeats", `{"leases":["lease-1","lease-9"]}`,
			exchange.LeaseHeartbeat{Provider: dcNorth, Leases: []corehour.LeaseID{1, 9}}},
		{"a failure", "provider", "POST", "/v1/leases/lease-1/fail", "", exchange.FailLease{Provider: dcNorth, Lease: 1}},
		{"an interruption", "provider", "POST", "/v1/leases/lease-1/interrupt", `{"at":"2026-03-01T13:00:00Z"}`,
			exchange.InterruptLease{Provider: dcNorth, Lease: 1, At: minuteAt("2026-03-01T13:00:00Z")}},
		{"a dispute", "consumer", "POST", "/v1/leases/lease-1/dispute", `{"reason":"too slow"}`, exchange.DisputeLease{Consumer: labA, Lease: 1, Reason: "too slow"}},
		{"a resolution", "operator", "POST", "/v1/leases/lease-1/resolve", `{"credit":"0.25"}`, exchange.ResolveDispute{Lease: 1, Credit: 250_000_000}},
		{"a dismissal", "operator", "POST", "/v1/leases/lease-1/resolve", `{}`, exchange.ResolveDispute{Lease: 1}},
		{"a bond", "provider", "POST", "/v1/accounts/dc-north/bond", `{"amount":"10","reference":"bond-1"}`,
			exchange.PostBond{Account: dcNorth, Amount: 10_000_000_000, Reference: "bond-1"}},
		{"a bond released", "provider", "POST", "/v1/accounts/dc-north/bond/release", `{"amount":"10","reference":"bond-2"}`,
			exchange.ReleaseBond{Account: dcNorth, Amount: 10_000_000_000, Reference: "bond-2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.exchange.reply.Bid, f.exchange.reply.Offer = 1, 1
			if a := f.ask(t, c.who, c.method, c.target, c.body); a.status >= 300 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if got := f.exchange.taken(); len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
				t.Errorf("submitted %+v\nwant      %+v", got, c.want)
			}
		})
	}
}

const bidAnswer = `{"bid":"bid-7","status":"closed","units":16,"filled":14,"open":0,"left_minutes":0,"closed":"max_leases","hold":"1.25","fills":[` +
	`{"lease":"lease-8","bid":"bid-7","offer":"offer-1","provider":"dc-north","region":"europe-north1","units":10,` +
	`"start":"2026-03-01T12:00:00Z","end":"2026-03-01T14:00:00Z","price":"0.0315","carbon_g":"3.25"},` +
	`{"lease":"lease-9","bid":"bid-7","offer":"offer-2","provider":"dc-south","region":"us-east1","units":4,` +
	`"start":"2026-03-01T13:00:00Z","end":"2026-03-01T15:00:00Z","price":"0.03","carbon_g":"310.00"}]}`

func TestPlaceBid_AnswerSaysWhatItGotAndARepeatGetsTheSame(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{
		Bid: 7, Closed: corehour.CloseMaxLeases, Hold: 1_250_000_000, Fills: []exchange.Fill{
			{Lease: 8, Bid: 7, Offer: 1, Provider: dcNorth, Region: "europe-north1", Units: 10,
				Start: minuteAt("2026-03-01T12:00:00Z"), End: minuteAt("2026-03-01T14:00:00Z"), Price: 31_500_000, Carbon: 3250},
			{Lease: 9, Bid: 7, Offer: 2, Provider: dcSouth, Region: "us-east1", Units: 4,
				Start: minuteAt("2026-03-01T13:00:00Z"), End: minuteAt("2026-03-01T15:00:00Z"), Price: 30_000_000, Carbon: 310_000},
		},
	}
	body := with(goodBid, "min_piece_minutes", "")
	first := f.ask(t, "consumer", "POST", "/v1/bids", body)
	if first.status != http.StatusCreated || strings.TrimSpace(first.body) != bidAnswer || first.header.Get(replayHeader) != "" ||
		first.header.Get("Location") != "/v1/bids/bid-7" || first.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v\n%s", first.status, first.header, first.body)
	}
	f.exchange.reply.Repeat = true
	again := f.ask(t, "consumer", "POST", "/v1/bids", body)
	if again.status != http.StatusOK || again.body != first.body || again.header.Get(replayHeader) != "true" {
		t.Errorf("%d %v\n%s", again.status, again.header, again.body)
	}
}

func TestPlaceOffer_AnswerSaysWhatFilled(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Offer: 3}
	a := f.ask(t, "provider", "POST", "/v1/offers", goodOffer)
	if a.status != http.StatusCreated || strings.TrimSpace(a.body) != `{"offer":"offer-3","status":"open","units":64,"fills":[]}` || a.header.Get("Location") != "/v1/offers/offer-3" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestDeposit_SameReferenceSameAnswer(t *testing.T) {
	f := newFixture(t)
	first := f.ask(t, "finance", "POST", "/v1/accounts/lab-a/deposits", `{"amount":"7","reference":"w"}`)
	f.exchange.reply.Repeat = true
	again := f.ask(t, "finance", "POST", "/v1/accounts/lab-a/deposits", `{"amount":"7","reference":"w"}`)
	if first.status != 201 || again.status != 200 || first.body != again.body || again.header.Get(replayHeader) != "true" ||
		strings.TrimSpace(first.body) != `{"account":"lab-a","amount":"7.00","reference":"w"}` {
		t.Errorf("%d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
}

// Rejections of the exchange arrive with the status of their code, their field
// placed in the body and their words.
func TestRejections_BecomeProblems(t *testing.T) {
	for code, want := range map[corehour.Code]int{
		exchange.CodeUnknownProduct: 422, exchange.CodeUnknownRegion: 422, exchange.CodeUnknownAccount: 422,
		exchange.CodeOutOfRange: 422, exchange.CodeOffTick: 422, exchange.CodeWindowTooShort: 422, exchange.CodeWindowPassed: 422,
		exchange.CodeExpired: 422, exchange.CodeTooLarge: 422, exchange.CodeTooMany: 422,
		exchange.CodeUnknownZone: 422, exchange.CodeExclusive: 422,
		exchange.CodeWouldTrade: 409, exchange.CodeSold: 409, exchange.CodePiecesTaken: 409,
		exchange.CodeInsufficientFunds: 402,
		exchange.CodeKeyReused:         409, exchange.CodeAccountExists: 409, exchange.CodeRegionExists: 409, exchange.CodeClosed: 409,
		exchange.CodeWrongStatus: 409, exchange.CodeChargeGap: 409,
		exchange.CodeUnknownOffer: 404, exchange.CodeUnknownBid: 404, exchange.CodeUnknownLease: 404,
	} {
		f := newFixture(t)
		f.exchange.reply = exchange.Reply{Code: code, Field: "limit_price", Message: "in words"}
		a := f.ask(t, "consumer", "POST", "/v1/bids", goodBid)
		if a.status != want || a.problem.Code != code || a.problem.Field != "body.limit_price" || a.problem.Detail != "in words" {
			t.Errorf("%s: %d %s", code, a.status, a.body)
		}
	}
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Code: exchange.CodeUnknownAccount, Message: "no such account"}
	if a := f.ask(t, "finance", "POST", "/v1/accounts/lab-z/deposits", `{"amount":"7","reference":"w"}`); a.status != 404 || a.problem.Code != corehour.CodeNotFound {
		t.Errorf("a deposit to nobody: %d %s", a.status, a.body)
	}
}

// What the exchange has forgotten, because it is over, is a conflict for its
// owner, who can still read it.
func TestChanges_OfWhatIsOverAreConflicts(t *testing.T) {
	for _, c := range []struct {
		who, method, target string
		reply               corehour.Code
		want                corehour.Code
		field               string
	}{
		{"provider", "DELETE", "/v1/offers/offer-1", exchange.CodeUnknownOffer, exchange.CodeClosed, "path.offer"},
		{"consumer", "DELETE", "/v1/bids/bid-1", exchange.CodeUnknownBid, exchange.CodeClosed, "path.bid"},
		{"provider", "PATCH", "/v1/offers/offer-1", exchange.CodeUnknownOffer, exchange.CodeClosed, "path.offer"},
		{"consumer", "PATCH", "/v1/bids/bid-1", exchange.CodeClosed, exchange.CodeClosed, "path.bid"},
		{"provider", "POST", "/v1/leases/lease-1/accept", exchange.CodeUnknownLease, exchange.CodeWrongStatus, "path.lease"},
		{"provider", "POST", "/v1/leases/lease-1/start", exchange.CodeWrongStatus, exchange.CodeWrongStatus, "path.lease"},
	} {
		f := newFixture(t)
		f.exchange.reply = exchange.Reply{Code: c.reply, Field: strings.TrimPrefix(c.field, "path."), Message: "in words"}
		body := ""
		if c.method == "PATCH" {
			body = `{"units":3}`
		}
		if a := f.ask(t, c.who, c.method, c.target, body); a.status != 409 || a.problem.Code != c.want || a.problem.Field != c.field {
			t.Errorf("%s %s: %d %s", c.method, c.target, a.status, a.body)
		}
	}
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Code: exchange.CodeUnknownAccount, Field: "consumer", Message: "there is no such account"}
	if a := f.ask(t, "consumer", "POST", "/v1/bids", goodBid); a.status != 422 || a.problem.Field != "" {
		t.Errorf("the token's account is no field of the body: %d %s", a.status, a.body)
	}
}

func TestErrors_BecomeProblemsWithoutTheirCause(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.7:4222: secret")
	for _, c := range []struct {
		err    error
		status int
		code   corehour.Code
		retry  string
		logged bool
	}{
		{&corehour.Error{Kind: corehour.KindUnavailable, Code: corehour.CodeUnavailable, Message: "the log is away", Err: secret}, 503, corehour.CodeUnavailable, "1", true},
		{&corehour.Error{Kind: corehour.KindLimited, Code: "rate_limited", Message: "slow down", Err: secret}, 429, "rate_limited", "1", false},
		{&corehour.Error{Kind: corehour.KindConflict, Code: "conflict", Message: "no", Err: secret}, 409, "conflict", "", false},
		{&corehour.Error{Kind: corehour.KindTooLarge, Code: "too_large", Message: "no", Err: secret}, 413, "too_large", "", false},
		{corehour.Internal("exchange.Submit", secret), 500, corehour.CodeInternal, "", true},
		{&corehour.Error{Kind: corehour.KindInternal, Code: "some_invariant", Message: "secret"}, 500, corehour.CodeInternal, "", true},
		{secret, 500, corehour.CodeInternal, "", true},
		{context.DeadlineExceeded, 503, corehour.CodeUnavailable, "1", true},
		{context.Canceled, 503, corehour.CodeUnavailable, "1", true},
	} {
		f := newFixture(t)
		f.exchange.err = c.err
		a := f.ask(t, "consumer", "POST", "/v1/bids", goodBid)
		if a.status != c.status || a.problem.Code != c.code || a.header.Get("Retry-After") != c.retry {
			t.Errorf("%v: %d %v %s", c.err, a.status, a.header, a.body)
		}
		if strings.Contains(a.body, "secret") || strings.Contains(a.body, "10.0.0.7") {
			t.Errorf("%v: the cause is shown: %s", c.err, a.body)
		}
		id := a.header.Get(requestIDHeader)
		if c.logged != strings.Contains(f.log.String(), "msg=\"request "+map[bool]string{true: "failed", false: "unavailable"}[c.status == 500]) {
			t.Errorf("%v: logged: %s", c.err, f.log)
		}
		if c.status == 500 && (!strings.Contains(a.problem.Detail, id) || !strings.Contains(f.log.String(), "secret")) {
			t.Errorf("%v: the log and the answer do not share request %s: %s", c.err, id, a.body)
		}
	}
}

func TestPanic_IsAnInternalErrorAndNothingMore(t *testing.T) {
	f := newFixture(t)
	f.exchange.before = func(context.Context) { panic("secret invariant") }
	a := f.ask(t, "consumer", "POST", "/v1/bids", goodBid)
	if a.status != 500 || a.problem.Code != corehour.CodeInternal || strings.Contains(a.body, "secret") || !strings.Contains(a.body, a.header.Get(requestIDHeader)) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !strings.Contains(f.log.String(), "secret invariant") || !strings.Contains(f.log.String(), "commands_test.go") {
		t.Errorf("the log does not say where: %s", f.log)
	}
	f.exchange.before = nil
	if a := f.ask(t, "consumer", "POST", "/v1/bids", goodBid); a.status != 201 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
	if n := f.requests.now.Load(); n != 0 {
		t.Errorf("%d requests are still counted", n)
	}
}

func TestProblem_IsWhatTheStandardAsksFor(t *testing.T) {
	f := newFixture(t)
	a := f.ask(t, "consumer", "POST", "/v1/bids", with(goodBid, "units", "0"))
	var members map[string]any
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": "urn:corehour:problem:out_of_range", "title": "Out of range", "status": 422.0,
		"detail": "expected 1 to 1000000", "code": "out_of_range", "field": "body.units"}
	if !reflect.DeepEqual(members, want) {
		t.Errorf("%s", a.body)
	}
}

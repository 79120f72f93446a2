package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// Whatever the body, a bid is answered with 201 and one command that keeps the
// limits, or with a problem from 400 to 499 and none.
func FuzzPlaceBid(f *testing.F) {
	f.Add(goodBid)
	f.Add(benchBid)
	for _, seed := range []string{
		``, `{`, `{}`, `[]`, `null`, `{"units":1e999}`, `{"units":-9223372036854775809}`, "{\"product\":\"\xff\"}", `{"product":"\ud800"}`,
		`{"regions":{"allow":[[[[[[[[[[]]]]]]]]]]}}`, `{"a":` + strings.Repeat("[", 1000), `{"limit_price":"00000000000000000001"}`,
		with(goodBid, "limit_price", `"9999999999"`), with(goodBid, "expires_at", `"0001-01-01T00:00:00Z"`), with(goodBid, "expires_at", `"9999-12-31T23:59:59.999999Z"`),
		with(goodBid, "latest_end", `"9999-12-31T23:59:00-23:59"`), with(goodBid, "units", `1000000`),
	} {
		f.Add(seed)
	}
	x := newFixture(f)
	x.exchange.reply.Bid = 1
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/bids", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+x.tokens["consumer"])
		w := httptest.NewRecorder()
		x.Handler().ServeHTTP(w, r)
		commands := x.exchange.taken()
		switch {
		case w.Code == http.StatusCreated && len(commands) == 1:
			requireWithinLimits(t, commands[0])
		case w.Code >= 400 && w.Code < 500 && len(commands) == 0:
			if w.Header().Get("Content-Type") != problemContentType {
				t.Errorf("%q: %s", body, w.Header().Get("Content-Type"))
			}
		default:
			t.Errorf("%q: status %d and %d commands: %s", body, w.Code, len(commands), w.Body)
		}
	})
}

func requireWithinLimits(t *testing.T, c exchange.Command) {
	t.Helper()
	b, ok := c.(exchange.PlaceBid)
	if !ok {
		t.Fatalf("a %T", c)
	}
	within := b.Consumer == labA && corehour.ValidName(b.Product) && b.Units >= 1 && b.Units <= corehour.MaxUnits &&
		b.Duration >= 1 && b.Duration <= corehour.MaxDuration && b.Limit > 0 && b.Limit <= corehour.MaxPrice && b.Limit.OnTick() &&
		b.EarliestStart >= 0 && b.LatestEnd >= 0 && b.EarliestStart <= corehour.MaxMinute && b.LatestEnd <= corehour.MaxMinute &&
		b.CarbonPrice >= 0 && b.CarbonPrice <= corehour.MaxCarbonPrice && b.MinSLA <= corehour.SLAPremium &&
		b.MinFill >= 0 && b.MinFill <= b.Units && b.MaxLeases >= 0 && b.MaxLeases <= corehour.MaxLeasesPerBid &&
		b.TimeInForce <= corehour.FillOrKill && (b.ClientID == "" || corehour.ValidName(b.ClientID)) &&
		len(b.Regions.Allow) <= corehour.MaxListed && len(b.Regions.Deny) <= corehour.MaxListed &&
		len(b.Providers.Allow) <= corehour.MaxListed && len(b.Providers.Deny) <= corehour.MaxListed &&
		(b.MaxCarbon == nil || *b.MaxCarbon >= 0 && *b.MaxCarbon <= corehour.MaxCarbonRate) && (b.TimeInForce == corehour.GoodTillTime) == (b.ExpiresAt != 0) &&
		(b.MaxTakeOrPay == nil || *b.MaxTakeOrPay >= 0 && *b.MaxTakeOrPay <= corehour.WholeShare) && b.MinPiece >= 0 && b.MinPiece <= b.Duration &&
		len(b.Countries.Allow) <= corehour.MaxListed && len(b.Countries.Deny) <= corehour.MaxListed &&
		len(b.Continents.Allow) <= len(corehour.Continents) && len(b.Continents.Deny) <= len(corehour.Continents)
	for _, name := range b.Regions.Allow {
		within = within && corehour.ValidName(name)
	}
	for _, name := range b.Providers.Deny {
		within = within && corehour.ValidName(name)
	}
	if !within {
		t.Errorf("beyond the limits: %+v", b)
	}
}

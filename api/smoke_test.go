package api

import "testing"

func TestSmoke(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply.Bid = 1
	a := f.ask(t, "consumer", "POST", "/v1/bids", `{"product":"cpu.standard","units":16,"duration_minutes":120,"limit_price":"0.04"}`)
	t.Logf("%+v", a)
	a = f.ask(t, "consumer", "GET", "/v1/offers?limit=3", "")
	t.Logf("%+v", a)
	a = f.ask(t, "", "GET", "/openapi.json", "")
	t.Logf("%+v", a)
}

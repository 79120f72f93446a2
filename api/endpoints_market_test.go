package api

import (
	"slices"
	"strings"

	"github.com/corehour/corehour"
)

const (
	goodGroup = `{"bids":[{"product":"cpu.standard","units":16,"duration_minutes":120,"limit_price":"0.04"},` +
		`{"product":"cpu.standard","units":8,"duration_minutes":240,"limit_price":"0.05"}],"client_id":"g-1"}`
	goodIntensity  = `{"from":"2026-03-01T12:00:00Z","values_g_per_kwh":["93.5","0","10000"]}`
	goodBidChange  = `{"units":12,"limit_price":"0.045","earliest_start":"2026-03-01T13:00:00Z","latest_end":"2026-03-03T12:00:00Z","max_carbon_g":"150","carbon_price":"100","min_fill":2,"expires_at":"2026-03-01T20:00:00Z"}`
	goodSaleChange = `{"units":32,"price":"0.0295","from":"2026-03-01T13:00:00Z","to":"2026-05-01T00:00:00Z","min_fill":4,"min_duration_minutes":30}`
)

func goodQuote() string { return with(goodBid, "client_id", "") }

// changeEndpoints are what places, changes and takes back orders beyond one at
// a time.
func changeEndpoints() []endpoint {
	bid := func(change string) string {
		return strings.Replace(goodGroup, `"units":8`, change, 1)
	}
	return []endpoint{
		{id: "place-bid-group", method: "POST", path: "/v1/bid-groups", who: "consumer", others: except("consumer"), body: goodGroup, bad: []badRequest{
			invalid("one bid", `{"bids":[{"product":"p","units":1,"duration_minutes":1,"limit_price":"1"}]}`, oor, "body.bids"),
			invalid("17 bids", `{"bids":[{"product":"p","units":1,"duration_minutes":1,"limit_price":"1"}`+
				strings.Repeat(`,{"product":"p","units":1,"duration_minutes":1,"limit_price":"1"}`, 16)+`]}`, corehour.CodeTooManyItems, "body.bids"),
			invalid("units 0", bid(`"units":0`), oor, "body.bids[1].units"),
			invalid("client id of a member", bid(`"units":8,"client_id":"b-1"`), CodeUnknownField, "body.bids[1].client_id"),
			invalid("min_fill of a member", bid(`"units":8,"min_fill":9`), oor, "body.bids[1].min_fill"),
			invalid("price of a member", strings.Replace(goodGroup, `"0.05"`, `"0.0500001"`, 1), "price_off_tick", "body.bids[1].limit_price"),
			invalid("client id empty", with(goodGroup, "client_id", `""`), oor, "body.client_id"),
		}},
		{id: "amend-bid", method: "PATCH", path: "/v1/bids/{bid}", target: "/v1/bids/bid-1", who: "consumer", others: except("consumer"), body: goodBidChange,
			bad: slices.Concat(ids("/v1/bids/", "bid", ""), amounts("limit_price", goodBidChange), minutes("earliest_start", goodBidChange),
				minutes("latest_end", goodBidChange), times("expires_at", goodBidChange), []badRequest{
					foreign("consumer2", "/v1/bids/bid-1"), foreign("consumer", "/v1/bids/bid-2"),
					invalid("nothing", `{}`, missing, "body"),
					invalid("price off the tick", with(goodBidChange, "limit_price", `"0.0400001"`), "price_off_tick", "body.limit_price"),
					invalid("min_fill above units", with(goodBidChange, "min_fill", `13`), oor, "body.min_fill"),
					invalid("cap below 0", with(goodBidChange, "max_carbon_g", `"-1"`), oor, "body.max_carbon_g"),
					invalid("carbon price below 0", with(goodBidChange, "carbon_price", `"-1"`), oor, "body.carbon_price"),
					invalid("product", with(goodBidChange, "product", `"gpu.h100"`), CodeUnknownField, "body.product"),
				})},
		{id: "amend-offer", method: "PATCH", path: "/v1/offers/{offer}", target: "/v1/offers/offer-1", who: "provider", others: except("provider"), body: goodSaleChange,
			bad: slices.Concat(ids("/v1/offers/", "offer", ""), amounts("price", goodSaleChange), minutes("from", goodSaleChange), minutes("to", goodSaleChange), []badRequest{
				foreign("provider2", "/v1/offers/offer-1"), foreign("provider", "/v1/offers/offer-2"),
				invalid("nothing", `{}`, missing, "body"),
				invalid("price 0", with(goodSaleChange, "price", `"0"`), oor, "body.price"),
				invalid("min_fill above units", with(goodSaleChange, "min_fill", `33`), oor, "body.min_fill"),
				invalid("region", with(goodSaleChange, "region", `"us-east1"`), CodeUnknownField, "body.region"),
			})},
		{id: "cancel-bids-by-client-id", method: "DELETE", path: "/v1/bids", target: "/v1/bids?client_id=b-1", who: "consumer", others: except("consumer"), bad: []badRequest{
			badTarget("/v1/bids", "query.client_id"), badTarget("/v1/bids?client_id=", "query.client_id"), badTarget("/v1/bids?client_id=a%20b", "query.client_id"),
			badTarget("/v1/bids?client_id=a&client_id=b", "query.client_id"), badTarget("/v1/bids?client_id="+strings.Repeat("x", 65), "query.client_id"),
		}},
		{id: "cancel-offer-by-client-id", method: "DELETE", path: "/v1/offers", target: "/v1/offers?client_id=o-1", who: "provider", others: except("provider"), bad: []badRequest{
			badTarget("/v1/offers", "query.client_id"), badTarget("/v1/offers?client_id=a%2Fb", "query.client_id"),
		}},
		{id: "cancel-all", method: "POST", path: "/v1/accounts/{account}/cancel-all", target: "/v1/accounts/lab-a/cancel-all", who: "consumer", others: []string{"finance"},
			body: `{"product":"cpu.standard"}`, bad: append(accountNames("/cancel-all"),
				foreign("consumer2", "/v1/accounts/lab-a/cancel-all"), foreign("provider", "/v1/accounts/lab-a/cancel-all"),
				invalid("product with a slash", `{"product":"cpu/standard"}`, wrong, "body.product"))},
	}
}

// marketEndpoints only ask.
func marketEndpoints() []endpoint {
	const product = "/v1/market/cpu.standard"
	span := func(path string) []badRequest {
		return []badRequest{
			badTarget(path+"&carbon_price=-1", "query.carbon_price"), badTarget(path+"&carbon_price=1e3", "query.carbon_price"),
			badTarget(path+"&carbon_price=1000001", "query.carbon_price"), badTarget(path+"&from=tomorrow", "query.from"),
			badTarget(path+"&from=2026-03-01T12:00:01Z", "query.from"), badTarget(path+"&to=2026-03-01", "query.to"),
		}
	}
	return []endpoint{
		{id: "quote-bid", method: "POST", path: "/v1/quotes", who: "consumer", others: except("consumer"), body: goodQuote(),
			bad: []badRequest{
				invalid("units 0", with(goodQuote(), "units", `0`), oor, "body.units"),
				invalid("limit off the tick", with(goodQuote(), "limit_price", `"0.0400001"`), "price_off_tick", "body.limit_price"),
				invalid("client id", goodBid, CodeUnknownField, "body.client_id"),
			}},
		{id: "explain-bid", method: "GET", path: "/v1/bids/{bid}/explanation", target: "/v1/bids/bid-1/explanation", who: "consumer", others: []string{"provider"},
			bad: append(ids("/v1/bids/", "bid", "/explanation"), foreign("consumer2", "/v1/bids/bid-1/explanation"), foreign("consumer", "/v1/bids/bid-2/explanation"))},
		{id: "get-depth", method: "GET", path: "/v1/market/{product}/depth", target: product + "/depth?region=europe-north1", who: "consumer",
			bad: append(span(product+"/depth?region=europe-north1"), badTarget(product+"/depth", "query.region"), badTarget(product+"/depth?region=a%20b", "query.region"),
				badTarget(product+"/depth?region=a&levels=0", "query.levels"), badTarget(product+"/depth?region=a&levels=101", "query.levels"),
				badTarget("/v1/market/a%20b/depth?region=a", "path.product"))},
		{id: "get-top", method: "GET", path: "/v1/market/{product}/top", target: product + "/top?carbon_price=80", who: "provider",
			bad: append(span(product + "/top?to=2026-03-01T12:00:00Z")[:5], badTarget("/v1/market/a%20b/top", "path.product"))},
		{id: "get-heatmap", method: "GET", path: "/v1/market/{product}/heatmap", target: product + "/heatmap?hours=3", who: "finance",
			bad: append(span(product + "/heatmap?hours=3")[:5],
				badTarget(product+"/heatmap?hours=0", "query.hours"), badTarget(product+"/heatmap?hours=169", "query.hours"),
				badTarget(product+"/heatmap?regions=a,,b", "query.regions"), badTarget(product+"/heatmap?regions=a%20b", "query.regions"),
				badTarget(product+"/heatmap?regions=a"+strings.Repeat(",a", 32), "query.regions"))},
	}
}

func zoneEndpoints() []endpoint {
	names := func(suffix string) []badRequest {
		return []badRequest{
			badTarget("/v1/zones/-x"+suffix, "path.zone"), badTarget("/v1/zones/a%20b"+suffix, "path.zone"),
			badTarget("/v1/zones/"+strings.Repeat("x", 65)+suffix, "path.zone"),
		}
	}
	mean := `{"mean_g_per_kwh":"93.5"}`
	return []endpoint{
		{id: "list-zones", method: "GET", path: "/v1/zones", who: "consumer"},
		{id: "get-zone", method: "GET", path: "/v1/zones/{zone}", target: "/v1/zones/FI", who: "provider", bad: append(names(""), foreign("operator", "/v1/zones/ATLANTIS"))},
		{id: "define-zone", method: "PUT", path: "/v1/zones/{zone}", target: "/v1/zones/FI", who: "operator", others: except("operator"), body: mean,
			bad: append(append(names(""), amounts("mean_g_per_kwh", mean)...),
				invalid("below 0", with(mean, "mean_g_per_kwh", `"-0.001"`), oor, "body.mean_g_per_kwh"),
				invalid("above the limit", with(mean, "mean_g_per_kwh", `"10000.001"`), oor, "body.mean_g_per_kwh"),
				invalid("too fine", with(mean, "mean_g_per_kwh", `"0.0001"`), wrong, "body.mean_g_per_kwh"))},
		{id: "get-intensity", method: "GET", path: "/v1/zones/{zone}/intensity", target: "/v1/zones/FI/intensity", who: "consumer",
			bad: append(names("/intensity"), foreign("operator", "/v1/zones/ATLANTIS/intensity"))},
		{id: "set-intensity", method: "PUT", path: "/v1/zones/{zone}/intensity", target: "/v1/zones/FI/intensity", who: "operator", others: except("operator"), body: goodIntensity,
			bad: slices.Concat(names("/intensity"), minutes("from", goodIntensity), []badRequest{
				invalid("half past", with(goodIntensity, "from", `"2026-03-01T12:30:00Z"`), wrong, "body.from"),
				invalid("no values", with(goodIntensity, "values_g_per_kwh", `[]`), oor, "body.values_g_per_kwh"),
				invalid("a number", with(goodIntensity, "values_g_per_kwh", `["1",93.5]`), wrong, "body.values_g_per_kwh[1]"),
				invalid("below 0", with(goodIntensity, "values_g_per_kwh", `["1","2","-1"]`), oor, "body.values_g_per_kwh[2]"),
				invalid("above the limit", with(goodIntensity, "values_g_per_kwh", `["10000.001"]`), oor, "body.values_g_per_kwh[0]"),
				invalid("8785 values", with(goodIntensity, "values_g_per_kwh", `["1"`+strings.Repeat(`,"1"`, 8784)+`]`), corehour.CodeTooManyItems, "body.values_g_per_kwh"),
			})},
	}
}

package api

import (
	"slices"
	"strings"

	"github.com/corehour/corehour"
)

// spoiltOffers are bodies of an offer with one thing wrong.
func spoiltOffers() []badRequest {
	return slices.Concat(
		amounts("price", goodOffer,
			invalid("price 0", with(goodOffer, "price", `"0"`), oor, "body.price"),
			invalid("price below 0", with(goodOffer, "price", `"-1"`), oor, "body.price"),
			invalid("price above the limit", with(goodOffer, "price", `"1000000.000001"`), oor, "body.price"),
			invalid("price off the tick", with(goodOffer, "price", `"0.0000001"`), "price_off_tick", "body.price")),
		minutes("from", goodOffer), minutes("to", goodOffer),
		[]badRequest{
			invalid("units 0", with(goodOffer, "units", `0`), oor, "body.units"),
			invalid("units -1", with(goodOffer, "units", `-1`), oor, "body.units"),
			invalid("units too many", with(goodOffer, "units", `1000001`), oor, "body.units"),
			invalid("units beyond 64 bits", with(goodOffer, "units", `99999999999999999999`), oor, "body.units"),
			invalid("units a fraction", with(goodOffer, "units", `1.5`), wrong, "body.units"),
			invalid("units an exponent", with(goodOffer, "units", `1e2`), wrong, "body.units"),
			invalid("units a string", with(goodOffer, "units", `"64"`), wrong, "body.units"),
			invalid("carbon below 0", with(goodOffer, "carbon_g", `"-0.001"`), oor, "body.carbon_g"),
			invalid("carbon too fine", with(goodOffer, "carbon_g", `"0.0001"`), wrong, "body.carbon_g"),
			invalid("carbon above the limit", with(goodOffer, "carbon_g", `"1000000.001"`), oor, "body.carbon_g"),
			invalid("neither carbon nor energy", with(goodOffer, "carbon_g", ""), missing, "body.carbon_g"),
			invalid("both carbon and energy", with(goodOffer, "energy_wh", `"2.355"`), "mutually_exclusive", "body.energy_wh"),
			invalid("zone without energy", with(goodOffer, "zone", `"FI"`), wrong, "body.zone"),
			invalid("energy below 0", with(with(goodOffer, "carbon_g", ""), "energy_wh", `"-0.001"`), oor, "body.energy_wh"),
			invalid("energy too fine", with(with(goodOffer, "carbon_g", ""), "energy_wh", `"0.0001"`), wrong, "body.energy_wh"),
			invalid("energy above the limit", with(with(goodOffer, "carbon_g", ""), "energy_wh", `"100000.001"`), oor, "body.energy_wh"),
			invalid("sla unknown", with(goodOffer, "sla", `"gold"`), wrong, "body.sla"),
			invalid("sla in capitals", with(goodOffer, "sla", `"Standard"`), wrong, "body.sla"),
			invalid("sla a number", with(goodOffer, "sla", `2`), wrong, "body.sla"),
			invalid("interruptible a string", with(goodOffer, "interruptible", `"true"`), wrong, "body.interruptible"),
			invalid("min_fill above units", with(goodOffer, "min_fill", `65`), oor, "body.min_fill"),
			invalid("take or pay above all", with(goodOffer, "take_or_pay_bps", `10001`), oor, "body.take_or_pay_bps"),
			invalid("min duration above a year", with(goodOffer, "min_duration_minutes", `527041`), oor, "body.min_duration_minutes"),
			invalid("product with a slash", with(goodOffer, "product", `"cpu/standard"`), wrong, "body.product"),
			invalid("provider given", with(goodOffer, "provider", `"dc-north"`), CodeUnknownField, "body.provider"),
			invalid("field in capitals", with(goodOffer, "Units", `64`), CodeUnknownField, "body.Units"),
		})
}

// spoiltBids are bodies of a bid with one thing wrong.
func spoiltBids() []badRequest {
	return slices.Concat(
		amounts("limit_price", goodBid,
			invalid("limit 0", with(goodBid, "limit_price", `"0"`), oor, "body.limit_price"),
			invalid("limit off the tick", with(goodBid, "limit_price", `"0.0400001"`), "price_off_tick", "body.limit_price")),
		minutes("earliest_start", goodBid), minutes("latest_end", goodBid), times("expires_at", goodBid),
		[]badRequest{
			invalid("carbon price below 0", with(goodBid, "carbon_price", `"-1"`), oor, "body.carbon_price"),
			invalid("carbon price above the limit", with(goodBid, "carbon_price", `"1000001"`), oor, "body.carbon_price"),
			invalid("max carbon below 0", with(goodBid, "max_carbon_g", `"-1"`), oor, "body.max_carbon_g"),
			invalid("max carbon null", with(goodBid, "max_carbon_g", `null`), wrong, "body.max_carbon_g"),
			invalid("time in force unknown", with(goodBid, "time_in_force", `"day"`), wrong, "body.time_in_force"),
			invalid("gtt without end", with(goodBid, "expires_at", ""), missing, "body.expires_at"),
			invalid("end without gtt", with(goodBid, "time_in_force", `"gtc"`), wrong, "body.expires_at"),
			invalid("min_fill above units", with(goodBid, "min_fill", `17`), oor, "body.min_fill"),
			invalid("leases 1001", with(goodBid, "max_leases", `1001`), oor, "body.max_leases"),
			invalid("duration above a year", with(goodBid, "duration_minutes", `527041`), oor, "body.duration_minutes"),
			invalid("regions a list", with(goodBid, "regions", `["europe-north1"]`), wrong, "body.regions"),
			invalid("region a number", with(goodBid, "regions", `{"allow":["a",7]}`), wrong, "body.regions.allow[1]"),
			invalid("regions unknown field", with(goodBid, "regions", `{"only":[]}`), CodeUnknownField, "body.regions.only"),
			invalid("257 regions", with(goodBid, "regions", `{"deny":["a"`+strings.Repeat(`,"a"`, 256)+`]}`), corehour.CodeTooManyItems, "body.regions.deny"),
			invalid("country in small letters", with(goodBid, "countries", `{"allow":["fi"]}`), wrong, "body.countries.allow[0]"),
			invalid("country by name", with(goodBid, "countries", `{"deny":["FI","Sweden"]}`), wrong, "body.countries.deny[1]"),
			invalid("continent unknown", with(goodBid, "continents", `{"allow":["europe","atlantis"]}`), wrong, "body.continents.allow[1]"),
			invalid("seven continents", with(goodBid, "continents", `{"deny":["asia","asia","asia","asia","asia","asia","asia"]}`), corehour.CodeTooManyItems, "body.continents.deny"),
			invalid("take or pay above all", with(goodBid, "max_take_or_pay_bps", `10001`), oor, "body.max_take_or_pay_bps"),
			invalid("piece above the duration", with(goodBid, "min_piece_minutes", `121`), oor, "body.min_piece_minutes"),
			invalid("post only a string", with(goodBid, "post_only", `"yes"`), wrong, "body.post_only"),
			invalid("provider empty", with(goodBid, "providers", `{"deny":[""]}`), wrong, "body.providers.deny[0]"),
			invalid("consumer given", with(goodBid, "consumer", `"lab-b"`), CodeUnknownField, "body.consumer"),
			invalid("client id empty", with(goodBid, "client_id", `""`), oor, "body.client_id"),
			invalid("client id with a line break", with(goodBid, "client_id", `"a\nb"`), wrong, "body.client_id"),
		})
}

func offerEndpoints() []endpoint {
	return []endpoint{
		{id: "place-offer", method: "POST", path: "/v1/offers", who: "provider", others: except("provider"), body: goodOffer, bad: spoiltOffers()},
		{id: "list-offers", method: "GET", path: "/v1/offers", who: "consumer", bad: listTargets("/v1/offers",
			badTarget("/v1/offers?status=any", "query.status"), badTarget("/v1/offers?after=bid-1", "query.after"), badTarget("/v1/offers?product=a%2Fb", "query.product"),
			badRequest{name: "closed ones of others", target: "/v1/offers?status=closed", status: 403, code: corehour.CodeForbidden, field: "query.status"})},
		{id: "get-offer", method: "GET", path: "/v1/offers/{offer}", target: "/v1/offers/offer-1", who: "consumer",
			bad: append(ids("/v1/offers/", "offer", ""), foreign("consumer", "/v1/offers/offer-2"))},
		{id: "cancel-offer", method: "DELETE", path: "/v1/offers/{offer}", target: "/v1/offers/offer-1", who: "provider", others: except("provider"),
			bad: append(ids("/v1/offers/", "offer", ""), foreign("provider2", "/v1/offers/offer-1"), foreign("provider", "/v1/offers/offer-2"))},
	}
}

func bidEndpoints() []endpoint {
	return []endpoint{
		{id: "place-bid", method: "POST", path: "/v1/bids", who: "consumer", others: except("consumer"), body: goodBid, bad: spoiltBids()},
		{id: "list-bids", method: "GET", path: "/v1/bids", who: "consumer", others: []string{"provider"}, bad: listTargets("/v1/bids",
			badTarget("/v1/bids?after=17", "query.after"),
			badRequest{name: "another's", target: "/v1/bids?consumer=lab-b", status: 403, code: corehour.CodeForbidden, field: "query.consumer"})},
		{id: "get-bid", method: "GET", path: "/v1/bids/{bid}", target: "/v1/bids/bid-1", who: "consumer", others: []string{"provider"},
			bad: append(ids("/v1/bids/", "bid", ""), foreign("consumer2", "/v1/bids/bid-1"), foreign("consumer", "/v1/bids/bid-2"))},
		{id: "cancel-bid", method: "DELETE", path: "/v1/bids/{bid}", target: "/v1/bids/bid-1", who: "consumer", others: except("consumer"),
			bad: append(ids("/v1/bids/", "bid", ""), foreign("consumer2", "/v1/bids/bid-1"), foreign("consumer", "/v1/bids/bid-2"))},
	}
}

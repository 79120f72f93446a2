package api

import "github.com/corehour/corehour"

const goodRules = `{"accept_within_seconds":900,"start_within_seconds":600,"heartbeat_every_seconds":30,"suspect_after_seconds":90,` +
	`"fail_after_seconds":300,"recover_beats":3,"mass_share_bps":5000,"mass_least":5,"outage_after_seconds":60,"interruption_notice_seconds":120,` +
	`"cover":true,"cover_extra_bps":10000,"bond_share_bps":500,"credit_basic_bps":100,"credit_standard_bps":1000,"credit_premium_bps":2500}`

func troubleEndpoints() []endpoint {
	rule := func(field, value string) badRequest {
		return invalid(field+" "+value, with(goodRules, field, value), oor, "body."+field)
	}
	money := `{"amount":"10","reference":"bond-1"}`
	bond := func(path string) []badRequest {
		return amounts("amount", money,
			invalid("nothing", with(money, "amount", `"0"`), oor, "body.amount"),
			invalid("less than nothing", with(money, "amount", `"-1"`), oor, "body.amount"),
			invalid("no reference", with(money, "reference", ""), missing, "body.reference"),
			badRequest{name: "of another", target: path, who: "provider2", body: money, status: 404, code: corehour.CodeNotFound})
	}
	return []endpoint{
		{id: "set-lease-rules", method: "PUT", path: "/v1/lease-rules", who: "operator", others: except("operator"), body: goodRules, bad: []badRequest{
			rule("accept_within_seconds", "-1"), rule("accept_within_seconds", "2678401"), rule("mass_share_bps", "10001"), rule("recover_beats", "101"),
			rule("suspect_after_seconds", "29"), rule("fail_after_seconds", "89"), rule("cover_extra_bps", "100001"), rule("credit_premium_bps", "-1"),
			invalid("a text", with(goodRules, "mass_least", `"5"`), wrong, "body.mass_least"),
			invalid("unknown", with(goodRules, "grace", `5`), CodeUnknownField, "body.grace"),
		}},
		{id: "get-lease-rules", method: "GET", path: "/v1/lease-rules", who: "consumer"},
		{id: "send-heartbeats", method: "POST", path: "/v1/leases/heartbeats", who: "provider", others: except("provider"), body: `{"leases":["lease-1"]}`, bad: []badRequest{
			invalid("none", `{"leases":[]}`, oor, "body.leases"), invalid("missing", `{}`, missing, "body.leases"),
			invalid("a number", `{"leases":["lease-1",2]}`, wrong, "body.leases[1]"),
		}},
		{id: "fail-lease", method: "POST", path: "/v1/leases/{lease}/fail", target: "/v1/leases/lease-1/fail", who: "provider", others: except("provider"),
			bad: append(ids("/v1/leases/", "lease", "/fail"), foreign("provider2", "/v1/leases/lease-1/fail"), foreign("buyerSelling", "/v1/leases/lease-1/fail"))},
		{id: "interrupt-lease", method: "POST", path: "/v1/leases/{lease}/interrupt", target: "/v1/leases/lease-1/interrupt", who: "provider", others: except("provider"),
			body: `{"at":"2026-03-01T13:00:00Z"}`,
			bad: append(append(ids("/v1/leases/", "lease", "/interrupt"), minutes("at", `{}`)...),
				foreign("provider2", "/v1/leases/lease-1/interrupt"), foreign("buyerSelling", "/v1/leases/lease-1/interrupt"))},
		{id: "dispute-lease", method: "POST", path: "/v1/leases/{lease}/dispute", target: "/v1/leases/lease-1/dispute", who: "consumer", others: except("consumer"),
			body: `{"reason":"too slow"}`,
			bad: append(ids("/v1/leases/", "lease", "/dispute"), invalid("no reason", `{}`, missing, "body.reason"),
				foreign("consumer2", "/v1/leases/lease-1/dispute"), foreign("sellerBuying", "/v1/leases/lease-1/dispute"))},
		{id: "resolve-dispute", method: "POST", path: "/v1/leases/{lease}/resolve", target: "/v1/leases/lease-1/resolve", who: "operator", others: except("operator"),
			body: `{"credit":"0.25"}`,
			bad: append(append(ids("/v1/leases/", "lease", "/resolve"), amounts("credit", `{}`)...),
				invalid("less than nothing", `{"credit":"-1"}`, oor, "body.credit"), foreign("operator", "/v1/leases/lease-2/resolve"))},
		{id: "post-bond", method: "POST", path: "/v1/accounts/{account}/bond", target: "/v1/accounts/dc-north/bond", who: "provider", others: except("provider"),
			body: money, bad: bond("/v1/accounts/dc-north/bond")},
		{id: "release-bond", method: "POST", path: "/v1/accounts/{account}/bond/release", target: "/v1/accounts/dc-north/bond/release", who: "provider", others: except("provider"),
			body: money, bad: bond("/v1/accounts/dc-north/bond/release")},
	}
}

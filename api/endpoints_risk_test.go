package api

import (
	"slices"
	"strings"

	"github.com/corehour/corehour"
)

const (
	goodLimits  = `{"order_units":1000,"order_notional":"5000","open_orders":200,"orders_per_second":50,"price_collar_bps":5000,"spend_per_day":"20000"}`
	goodHalt    = `{"scope":"account","name":"lab-a","cancel_orders":true,"reason":"runaway script"}`
	goodResume  = `{"scope":"account","name":"lab-a","reason":"found it"}`
	goodSession = `{"session":"desk-1","timeout_seconds":30,"cancel_on_disconnect":true}`
)

func spoiltLimits() []badRequest {
	return slices.Concat(
		amounts("order_notional", goodLimits, invalid("notional below 0", with(goodLimits, "order_notional", `"-1"`), oor, "body.order_notional")),
		amounts("spend_per_day", goodLimits, invalid("spend above the limit", with(goodLimits, "spend_per_day", `"1000000000.01"`), oor, "body.spend_per_day")),
		[]badRequest{
			invalid("units too many", with(goodLimits, "order_units", `1000001`), oor, "body.order_units"),
			invalid("open orders too many", with(goodLimits, "open_orders", `8000001`), oor, "body.open_orders"),
			invalid("orders per second below 0", with(goodLimits, "orders_per_second", `-1`), oor, "body.orders_per_second"),
			invalid("collar too wide", with(goodLimits, "price_collar_bps", `1000001`), oor, "body.price_collar_bps"),
		})
}

func limitEndpoints() []endpoint {
	credit := `{"credit_limit":"500.00"}`
	return []endpoint{
		{id: "set-credit", method: "PUT", path: "/v1/accounts/{account}/credit", target: "/v1/accounts/lab-a/credit", who: "operator",
			others: except("operator"), body: credit, bad: slices.Concat(accountNames("/credit"), amounts("credit_limit", credit,
				invalid("credit below 0", with(credit, "credit_limit", `"-1"`), oor, "body.credit_limit"),
				invalid("credit above the limit", with(credit, "credit_limit", `"1000000000.01"`), oor, "body.credit_limit")))},
		{id: "get-account-limits", method: "GET", path: "/v1/accounts/{account}/limits", target: "/v1/accounts/lab-a/limits", who: "consumer",
			bad: append(accountNames("/limits"), foreign("consumer2", "/v1/accounts/lab-a/limits"), foreign("provider", "/v1/accounts/lab-a/limits"),
				foreign("operator", "/v1/accounts/nobody/limits"))},
		{id: "set-account-limits", method: "PUT", path: "/v1/accounts/{account}/limits", target: "/v1/accounts/lab-a/limits", who: "operator",
			others: except("operator"), body: goodLimits, bad: append(accountNames("/limits"), spoiltLimits()...)},
		{id: "clear-account-limits", method: "DELETE", path: "/v1/accounts/{account}/limits", target: "/v1/accounts/lab-a/limits", who: "operator",
			others: except("operator"), bad: accountNames("/limits")},
		{id: "get-limits", method: "GET", path: "/v1/limits", who: "consumer"},
		{id: "set-limits", method: "PUT", path: "/v1/limits", who: "operator", others: except("operator"), body: goodLimits, bad: spoiltLimits()},
	}
}

func haltEndpoints() []endpoint {
	others := func(body string) []badRequest {
		hidden := func(who, scope, name string) badRequest {
			return badRequest{name: who + " of " + name, who: who, body: with(with(body, "scope", `"`+scope+`"`), "name", `"`+name+`"`), status: 404, code: corehour.CodeNotFound}
		}
		refused := badRequest{name: "a product by a consumer", body: with(with(body, "scope", `"product"`), "name", `"cpu.standard"`),
			status: 403, code: corehour.CodeForbidden, field: "body.scope"}
		exchange := refused
		exchange.name, exchange.body = "the exchange by a consumer", with(with(body, "scope", `"exchange"`), "name", "")
		return []badRequest{
			hidden("consumer", "account", "lab-b"), hidden("consumer", "provider", "lab-b"), hidden("provider", "account", "lab-a"), refused, exchange,
			invalid("scope unknown", with(body, "scope", `"galaxy"`), wrong, "body.scope"),
			invalid("scope missing", with(body, "scope", ""), missing, "body.scope"),
			invalid("reason with a line break", with(body, "reason", `"a\nb"`), wrong, "body.reason"),
			invalid("reason too long in bytes", with(body, "reason", `"`+strings.Repeat("é", 200)+`"`), oor, "body.reason"),
		}
	}
	return []endpoint{
		{id: "list-halts", method: "GET", path: "/v1/halts", who: "consumer"},
		{id: "halt", method: "POST", path: "/v1/halts", who: "consumer", others: []string{"finance"}, body: goodHalt, bad: others(goodHalt)},
		{id: "kill-switch", method: "POST", path: "/v1/kill-switch", who: "consumer", others: except("consumer", "provider"), body: `{"reason":"runaway script"}`,
			bad: []badRequest{invalid("another's account", `{"name":"lab-b"}`, CodeUnknownField, "body.name")}},
		{id: "resume", method: "POST", path: "/v1/halts/resume", who: "consumer", others: []string{"finance"}, body: goodResume, bad: others(goodResume)},
	}
}

func sessionEndpoints() []endpoint {
	names := func(suffix string) []badRequest {
		return []badRequest{
			badTarget("/v1/sessions/-x"+suffix, "path.session"), badTarget("/v1/sessions/a%20b"+suffix, "path.session"),
			badTarget("/v1/sessions/"+strings.Repeat("x", 65)+suffix, "path.session"),
		}
	}
	traders := except("consumer", "provider")
	return []endpoint{
		{id: "open-session", method: "POST", path: "/v1/sessions", who: "consumer", others: traders, body: goodSession, bad: []badRequest{
			invalid("session empty", with(goodSession, "session", `""`), wrong, "body.session"),
			invalid("timeout below 0", with(goodSession, "timeout_seconds", `-1`), oor, "body.timeout_seconds"),
			invalid("timeout above a day", with(goodSession, "timeout_seconds", `86401`), oor, "body.timeout_seconds"),
			invalid("account given", with(goodSession, "account", `"lab-b"`), CodeUnknownField, "body.account"),
		}},
		{id: "list-sessions", method: "GET", path: "/v1/sessions", who: "provider", others: traders},
		{id: "heartbeat-session", method: "POST", path: "/v1/sessions/{session}/heartbeat", target: "/v1/sessions/desk-1/heartbeat", who: "consumer",
			others: traders, bad: names("/heartbeat")},
		{id: "close-session", method: "DELETE", path: "/v1/sessions/{session}", target: "/v1/sessions/desk-1", who: "consumer", others: traders, bad: names("")},
	}
}

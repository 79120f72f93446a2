package api

import "strings"

func catalogueEndpoints() []endpoint {
	return []endpoint{
		{id: "list-products", method: "GET", path: "/v1/products", who: "consumer"},
		{id: "list-regions", method: "GET", path: "/v1/regions", who: "provider"},
		{id: "define-product", method: "POST", path: "/v1/products", who: "operator", others: except("operator"),
			body: `{"id":"cpu.standard","unit":"1 vCPU"}`, bad: []badRequest{
				invalid("unit with a control character", `{"id":"cpu.standard","unit":"a\u0007b"}`, wrong, "body.unit"),
				invalid("unit too long in bytes", `{"id":"cpu.standard","unit":"`+strings.Repeat("é", 200)+`"}`, oor, "body.unit"),
			}},
		{id: "define-region", method: "POST", path: "/v1/regions", who: "operator", others: except("operator"),
			body: `{"id":"europe-north1","country":"FI","continent":"europe","zone":"FI"}`, bad: []badRequest{
				invalid("country in small letters", `{"id":"europe-north1","country":"fi","continent":"europe","zone":"FI"}`, wrong, "body.country"),
				invalid("continent unknown", `{"id":"europe-north1","country":"FI","continent":"atlantis","zone":"FI"}`, wrong, "body.continent"),
			}},
	}
}

// accountNames are paths with what is no account.
func accountNames(suffix string) []badRequest {
	return []badRequest{
		badTarget("/v1/accounts/-x"+suffix, "path.account"), badTarget("/v1/accounts/a%20b"+suffix, "path.account"),
		badTarget("/v1/accounts/"+strings.Repeat("x", 65)+suffix, "path.account"), badTarget("/v1/accounts/a%0ab"+suffix, "path.account"),
	}
}

func accountEndpoints() []endpoint {
	move := `{"amount":"1000.50","reference":"wire-1"}`
	moves := func(suffix string) []badRequest {
		return append(append(accountNames(suffix), amounts("amount", move)...),
			invalid("amount 0", with(move, "amount", `"0"`), oor, "body.amount"),
			invalid("amount below 0", with(move, "amount", `"-5"`), oor, "body.amount"),
			invalid("amount above the limit", with(move, "amount", `"1000000000.01"`), oor, "body.amount"),
			invalid("reference empty", with(move, "reference", `""`), oor, "body.reference"))
	}
	return []endpoint{
		{id: "open-account", method: "POST", path: "/v1/accounts", who: "operator", others: except("operator"),
			body: `{"account":"lab-a","org":"university","name":"Laboratory A"}`, bad: []badRequest{
				invalid("name a number", `{"account":"lab-a","org":"university","name":5}`, wrong, "body.name"),
				invalid("half a surrogate pair is malformed", `{"account":"lab-a","org":"university","name":""}`, oor, "body.name"),
			}},
		{id: "list-accounts", method: "GET", path: "/v1/accounts", who: "finance", others: except("finance", "operator"),
			bad: listTargets("/v1/accounts", badTarget("/v1/accounts?after=%20", "query.after"))},
		{id: "get-account", method: "GET", path: "/v1/accounts/{account}", target: "/v1/accounts/lab-a", who: "consumer",
			bad: append(accountNames(""), foreign("consumer2", "/v1/accounts/lab-a"), foreign("provider", "/v1/accounts/lab-a"), foreign("operator", "/v1/accounts/nobody"))},
		{id: "deposit", method: "POST", path: "/v1/accounts/{account}/deposits", target: "/v1/accounts/lab-a/deposits", who: "finance",
			others: except("finance"), body: move, bad: moves("/deposits")},
		{id: "pay-out", method: "POST", path: "/v1/accounts/{account}/payouts", target: "/v1/accounts/lab-a/payouts", who: "finance",
			others: except("finance"), body: move, bad: moves("/payouts")},
	}
}

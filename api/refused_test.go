package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
)

// endpoint is one operation with a request that is good.
type endpoint struct {
	id     string
	method string
	path   string // as the document has it
	target string // as it is asked
	who    string // one of those who may
	others []string
	body   string
	// bad are bodies, or targets where they begin with /, that are refused.
	bad []badRequest
}

type badRequest struct {
	name   string
	body   string
	target string
	who    string // where not the endpoint's
	status int
	code   corehour.Code
	field  string
}

const (
	goodOffer = `{"product":"cpu.standard","region":"europe-north1","units":64,"from":"2026-03-01T12:00:00Z","to":"2026-04-01T00:00:00Z",` +
		`"price":"0.0315","carbon_g":"3.25","sla":"standard","interruptible":true,"min_fill":2,"min_duration_minutes":60,"take_or_pay_bps":2500,"client_id":"o-1"}`
	goodBid = `{"product":"cpu.standard","units":16,"duration_minutes":120,"earliest_start":"2026-03-01T12:00:00Z","latest_end":"2026-03-02T12:00:00Z",` +
		`"limit_price":"0.04","regions":{"allow":["europe-north1"],"deny":["us-east1"]},"providers":{"allow":["dc-north"],"deny":["dc-south"]},` +
		`"max_carbon_g":"100","carbon_price":"80.5","min_sla":"standard","accepts_interruptible":true,"min_fill":4,"max_leases":3,` +
		`"time_in_force":"gtt","expires_at":"2026-03-01T18:00:00Z","client_id":"b-1"}`
	goodUsage = `{"records":[{"record_id":"r-1","lease":"lease-1","from":"2026-03-01T12:00:00Z","to":"2026-03-01T13:00:00Z","cpu_seconds":"57600.25"}]}`
)

// with is a body with a field set to a JSON value, or taken out where that is "".
func with(body, field, value string) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		panic(err)
	}
	if value == "" {
		delete(fields, field)
	} else {
		fields[field] = json.RawMessage(value)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func invalid(name, body string, code corehour.Code, field string) badRequest {
	return badRequest{name: name, body: body, status: http.StatusUnprocessableEntity, code: code, field: field}
}

func badTarget(target, field string) badRequest {
	return badRequest{name: target, target: target, status: http.StatusBadRequest, code: CodeInvalidParameter, field: field}
}

func foreign(who, target string) badRequest {
	return badRequest{name: "foreign to " + who, who: who, target: target, status: http.StatusNotFound, code: corehour.CodeNotFound}
}

func listTargets(path string, more ...badRequest) []badRequest {
	return append([]badRequest{
		badTarget(path+"?limit=0", "query.limit"), badTarget(path+"?limit=501", "query.limit"),
		badTarget(path+"?limit=-1", "query.limit"), badTarget(path+"?limit=ten", "query.limit"), badTarget(path+"?limit=1.5", "query.limit"),
		badTarget(path+"?limit=", "query.limit"), badTarget(path+"?limit=1&limit=2", "query.limit"), badTarget(path+"?limit=%zz", "query"),
	}, more...)
}

const (
	oor     = corehour.Code("out_of_range")
	wrong   = corehour.CodeInvalid
	missing = CodeMissingField
)

func endpoints() []endpoint {
	all := []string{"provider", "consumer", "finance", "operator"}
	except := func(may ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(r string) bool { return slices.Contains(may, r) })
	}
	amounts := func(field, body string, codes ...badRequest) []badRequest {
		var bad []badRequest
		for _, v := range []string{`"+1"`, `"1e3"`, `"NaN"`, `"Infinity"`, `" 1"`, `"1 "`, `""`, `"1."`, `".5"`, `"1,5"`, `"0x10"`, `"1_0"`,
			`"0.0000000001"`, `"12345678901"`, `"99999999999999999999"`, `"--1"`, `"١"`, `1.5`, `10`, `true`} {
			bad = append(bad, invalid(field+" "+v, with(body, field, v), wrong, "body."+field))
		}
		return append(bad, codes...)
	}
	times := func(field, body string) []badRequest {
		var bad []badRequest
		for _, v := range []string{`"2026-03-01"`, `"2026-03-01 12:00:00Z"`, `"tomorrow"`, `"2026-13-01T00:00:00Z"`, `""`, `1772366400`, `"2026-03-01T12:00:00"`} {
			bad = append(bad, invalid(field+" "+v, with(body, field, v), wrong, "body."+field))
		}
		return bad
	}
	minutes := func(field, body string) []badRequest {
		return append(times(field, body),
			invalid(field+" seconds", with(body, field, `"2026-03-01T12:00:01Z"`), wrong, "body."+field),
			invalid(field+" nanoseconds", with(body, field, `"2026-03-01T12:00:00.000000001Z"`), wrong, "body."+field),
			invalid(field+" before 1970", with(body, field, `"1969-12-31T23:59:00Z"`), oor, "body."+field))
	}
	list := [][]badRequest{
		amounts("price", goodOffer,
			invalid("price 0", with(goodOffer, "price", `"0"`), oor, "body.price"),
			invalid("price below 0", with(goodOffer, "price", `"-1"`), oor, "body.price"),
			invalid("price above the limit", with(goodOffer, "price", `"1000000.000001"`), oor, "body.price"),
			invalid("price off the tick", with(goodOffer, "price", `"0.0000001"`), "price_off_tick", "body.price")),
		minutes("from", goodOffer), minutes("to", goodOffer),
		{
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
		},
	}
	placeOffer := slices.Concat(list...)
	placeBid := slices.Concat(
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
			invalid("provider empty", with(goodBid, "providers", `{"deny":[""]}`), wrong, "body.providers.deny[0]"),
			invalid("consumer given", with(goodBid, "consumer", `"lab-b"`), CodeUnknownField, "body.consumer"),
			invalid("client id empty", with(goodBid, "client_id", `""`), oor, "body.client_id"),
			invalid("client id with a line break", with(goodBid, "client_id", `"a\nb"`), wrong, "body.client_id"),
		})
	record := func(field, value string) string {
		var r map[string][]map[string]json.RawMessage
		if err := json.Unmarshal([]byte(goodUsage), &r); err != nil {
			panic(err)
		}
		r["records"][0][field] = json.RawMessage(value)
		b, _ := json.Marshal(r)
		return string(b)
	}
	reportUsage := []badRequest{
		invalid("no records", `{"records":[]}`, oor, "body.records"),
		invalid("1001 records", `{"records":[`+strings.Repeat(goodUsage[12:len(goodUsage)-2]+",", 1000)+goodUsage[12:len(goodUsage)-2]+`]}`, corehour.CodeTooManyItems, "body.records"),
		invalid("record missing all", `{"records":[{}]}`, missing, "body.records[0].record_id"),
		invalid("lease a number", record("lease", `1`), wrong, "body.records[0].lease"),
		invalid("lease with a leading zero", record("lease", `"lease-01"`), wrong, "body.records[0].lease"),
		invalid("lease of another kind", record("lease", `"bid-1"`), wrong, "body.records[0].lease"),
		invalid("seconds negative", record("cpu_seconds", `"-1"`), wrong, "body.records[0].cpu_seconds"),
		invalid("seconds too fine", record("cpu_seconds", `"0.0000001"`), wrong, "body.records[0].cpu_seconds"),
		invalid("seconds with an exponent", record("cpu_seconds", `"1e3"`), wrong, "body.records[0].cpu_seconds"),
		invalid("seconds a number", record("cpu_seconds", `5`), wrong, "body.records[0].cpu_seconds"),
		invalid("seconds beyond all", record("cpu_seconds", `"1000000000000"`), wrong, "body.records[0].cpu_seconds"),
		invalid("record id with a space", record("record_id", `"a b"`), wrong, "body.records[0].record_id"),
		invalid("time without zone", record("from", `"2026-03-01T12:00:00"`), wrong, "body.records[0].from"),
		invalid("unknown field", record("gib_hours", `"1"`), CodeUnknownField, "body.records[0].gib_hours"),
	}
	period := func(path string) []badRequest {
		return []badRequest{
			invalid("month 13", `{"period":"2026-13"}`, wrong, "body.period"),
			invalid("a day", `{"period":"2026-03-01"}`, wrong, "body.period"),
			invalid("a number", `{"period":202603}`, wrong, "body.period"),
		}
	}
	numbers := func(path string) []badRequest {
		return []badRequest{
			badTarget(path+"/INV%202026", "path.number"), badTarget(path+"/"+strings.Repeat("x", 65), "path.number"),
			badTarget(path+"/-1", "path.number"), badTarget(path+"/x?format=pdf", "query.format"),
		}
	}
	ids := func(prefix, name, suffix string) []badRequest {
		var bad []badRequest
		for _, id := range []string{"1", name + "-0", name + "-01", name + "-", name + "--1", name + "-99999999999999999999", name + "-9223372036854775808",
			"x" + name + "-1", name + "-1x", strings.ToUpper(name) + "-1", name + "-1%00", strings.Repeat("9", 300)} {
			bad = append(bad, badTarget(prefix+id+suffix, "path."+name))
		}
		return bad
	}
	accountNames := func(suffix string) []badRequest {
		return []badRequest{
			badTarget("/v1/accounts/-x"+suffix, "path.account"), badTarget("/v1/accounts/a%20b"+suffix, "path.account"),
			badTarget("/v1/accounts/"+strings.Repeat("x", 65)+suffix, "path.account"), badTarget("/v1/accounts/a%0ab"+suffix, "path.account"),
		}
	}
	move := `{"amount":"1000.50","reference":"wire-1"}`
	moves := func(suffix string) []badRequest {
		return append(append(accountNames(suffix), amounts("amount", move)...),
			invalid("amount 0", with(move, "amount", `"0"`), oor, "body.amount"),
			invalid("amount below 0", with(move, "amount", `"-5"`), oor, "body.amount"),
			invalid("amount above the limit", with(move, "amount", `"1000000000.01"`), oor, "body.amount"),
			invalid("reference empty", with(move, "reference", `""`), oor, "body.reference"))
	}
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
		{id: "place-offer", method: "POST", path: "/v1/offers", who: "provider", others: except("provider"), body: goodOffer, bad: placeOffer},
		{id: "list-offers", method: "GET", path: "/v1/offers", who: "consumer", bad: listTargets("/v1/offers",
			badTarget("/v1/offers?status=any", "query.status"), badTarget("/v1/offers?after=bid-1", "query.after"), badTarget("/v1/offers?product=a%2Fb", "query.product"),
			badRequest{name: "closed ones of others", target: "/v1/offers?status=closed", status: 403, code: corehour.CodeForbidden, field: "query.status"})},
		{id: "get-offer", method: "GET", path: "/v1/offers/{offer}", target: "/v1/offers/offer-1", who: "consumer",
			bad: append(ids("/v1/offers/", "offer", ""), foreign("consumer", "/v1/offers/offer-2"))},
		{id: "cancel-offer", method: "DELETE", path: "/v1/offers/{offer}", target: "/v1/offers/offer-1", who: "provider", others: except("provider"),
			bad: append(ids("/v1/offers/", "offer", ""), foreign("provider2", "/v1/offers/offer-1"), foreign("provider", "/v1/offers/offer-2"))},
		{id: "place-bid", method: "POST", path: "/v1/bids", who: "consumer", others: except("consumer"), body: goodBid, bad: placeBid},
		{id: "list-bids", method: "GET", path: "/v1/bids", who: "consumer", others: []string{"provider"}, bad: listTargets("/v1/bids",
			badTarget("/v1/bids?after=17", "query.after"),
			badRequest{name: "another's", target: "/v1/bids?consumer=lab-b", status: 403, code: corehour.CodeForbidden, field: "query.consumer"})},
		{id: "get-bid", method: "GET", path: "/v1/bids/{bid}", target: "/v1/bids/bid-1", who: "consumer", others: []string{"provider"},
			bad: append(ids("/v1/bids/", "bid", ""), foreign("consumer2", "/v1/bids/bid-1"), foreign("consumer", "/v1/bids/bid-2"))},
		{id: "cancel-bid", method: "DELETE", path: "/v1/bids/{bid}", target: "/v1/bids/bid-1", who: "consumer", others: except("consumer"),
			bad: append(ids("/v1/bids/", "bid", ""), foreign("consumer2", "/v1/bids/bid-1"), foreign("consumer", "/v1/bids/bid-2"))},
		{id: "list-leases", method: "GET", path: "/v1/leases", who: "consumer", bad: listTargets("/v1/leases",
			badTarget("/v1/leases?status=lost", "query.status"), badTarget("/v1/leases?bid=1", "query.bid"), badTarget("/v1/leases?offer=x", "query.offer"),
			badRequest{name: "another consumer's", target: "/v1/leases?consumer=lab-b", status: 403, code: corehour.CodeForbidden, field: "query.consumer"},
			badRequest{name: "another provider's", who: "provider", target: "/v1/leases?provider=dc-south", status: 403, code: corehour.CodeForbidden, field: "query.provider"})},
		{id: "get-lease", method: "GET", path: "/v1/leases/{lease}", target: "/v1/leases/lease-1", who: "consumer",
			bad: append(ids("/v1/leases/", "lease", ""), foreign("consumer2", "/v1/leases/lease-1"), foreign("provider2", "/v1/leases/lease-1"), foreign("consumer", "/v1/leases/lease-2"))},
		{id: "accept-lease", method: "POST", path: "/v1/leases/{lease}/accept", target: "/v1/leases/lease-1/accept", who: "provider", others: except("provider"),
			bad: append(ids("/v1/leases/", "lease", "/accept"), foreign("provider2", "/v1/leases/lease-1/accept"), foreign("buyerSelling", "/v1/leases/lease-1/accept"), foreign("provider", "/v1/leases/lease-2/accept"))},
		{id: "start-lease", method: "POST", path: "/v1/leases/{lease}/start", target: "/v1/leases/lease-1/start", who: "provider", others: except("provider"),
			bad: append(ids("/v1/leases/", "lease", "/start"), foreign("provider2", "/v1/leases/lease-1/start"), foreign("buyerSelling", "/v1/leases/lease-1/start"), foreign("provider", "/v1/leases/lease-2/start"))},
		{id: "end-lease", method: "POST", path: "/v1/leases/{lease}/end", target: "/v1/leases/lease-1/end", who: "consumer", others: []string{"finance", "operator"},
			body: `{"ended_at":"2026-03-01T13:00:00.5Z"}`,
			bad: append(append(ids("/v1/leases/", "lease", "/end"), times("ended_at", `{}`)...),
				foreign("consumer2", "/v1/leases/lease-1/end"), foreign("provider2", "/v1/leases/lease-1/end"),
				foreign("buyerSelling", "/v1/leases/lease-1/end"), foreign("sellerBuying", "/v1/leases/lease-1/end"), foreign("consumer", "/v1/leases/lease-2/end"))},
		{id: "get-lease-usage", method: "GET", path: "/v1/leases/{lease}/usage", target: "/v1/leases/lease-1/usage", who: "consumer",
			bad: append(ids("/v1/leases/", "lease", "/usage"), foreign("consumer2", "/v1/leases/lease-1/usage"), foreign("provider", "/v1/leases/lease-2/usage"))},
		{id: "list-deliveries", method: "GET", path: "/v1/deliveries", who: "provider", others: except("provider"), bad: listTargets("/v1/deliveries",
			badTarget("/v1/deliveries?after=-1", "query.after"), badTarget("/v1/deliveries?after=x", "query.after"),
			badTarget("/v1/deliveries?wait=31", "query.wait"), badTarget("/v1/deliveries?wait=-1", "query.wait"))},
		{id: "report-usage", method: "POST", path: "/v1/usage", who: "provider", others: except("provider"), body: goodUsage, bad: reportUsage},
		{id: "close-usage", method: "POST", path: "/v1/usage/close", who: "provider", others: except("provider"), body: `{"leases":["lease-1"]}`, bad: []badRequest{
			invalid("none", `{"leases":[]}`, oor, "body.leases"), invalid("a number", `{"leases":["lease-1",2]}`, wrong, "body.leases[1]"),
			invalid("not a list", `{"leases":"lease-1"}`, wrong, "body.leases"),
		}},
		{id: "issue-invoices", method: "POST", path: "/v1/invoices", who: "finance", others: except("finance"), body: `{"period":"2026-02"}`, bad: period("/v1/invoices")},
		{id: "list-invoices", method: "GET", path: "/v1/invoices", who: "consumer", others: []string{"provider"}, bad: listTargets("/v1/invoices",
			badTarget("/v1/invoices?after=%20", "query.after"),
			badRequest{name: "another's", target: "/v1/invoices?account=lab-b", status: 403, code: corehour.CodeForbidden, field: "query.account"})},
		{id: "get-invoice", method: "GET", path: "/v1/invoices/{number}", target: "/v1/invoices/INV-2026-000001", who: "consumer", others: []string{"provider"},
			bad: append(numbers("/v1/invoices"), foreign("consumer2", "/v1/invoices/INV-2026-000001"), foreign("finance", "/v1/invoices/INV-2026-000002"))},
		{id: "issue-statements", method: "POST", path: "/v1/statements", who: "finance", others: except("finance"), body: `{"period":"2026-02"}`, bad: period("/v1/statements")},
		{id: "list-statements", method: "GET", path: "/v1/statements", who: "provider", others: []string{"consumer"}, bad: listTargets("/v1/statements",
			badRequest{name: "another's", target: "/v1/statements?account=dc-south", status: 403, code: corehour.CodeForbidden, field: "query.account"})},
		{id: "get-statement", method: "GET", path: "/v1/statements/{number}", target: "/v1/statements/STM-2026-000001", who: "provider", others: []string{"consumer"},
			bad: append(numbers("/v1/statements"), foreign("provider2", "/v1/statements/STM-2026-000001"), foreign("finance", "/v1/statements/STM-2026-000002"))},
		{id: "list-balances", method: "GET", path: "/v1/ledger/balances", who: "finance", others: except("finance", "operator"),
			bad: listTargets("/v1/ledger/balances", badTarget("/v1/ledger/balances?after=%20", "query.after"))},
		{id: "check-ledger", method: "GET", path: "/v1/ledger/check", who: "operator", others: except("finance", "operator")},
	}
}

func (e *endpoint) url() string {
	if e.target != "" {
		return e.target
	}
	return e.path
}

// requireUntouched fails where anything reached what is behind the API.
func (f *fixture) requireUntouched(t *testing.T) {
	t.Helper()
	if c := f.exchange.taken(); len(c) > 0 {
		t.Fatalf("commands were submitted: %+v", c)
	}
	if f.metering.calls != 0 || len(f.billing.issued) != 0 {
		t.Fatal("metering or billing was told something")
	}
}

func (f *fixture) requireRefused(t *testing.T, e *endpoint, b badRequest, change ...func(*http.Request)) {
	t.Helper()
	who, target, body := e.who, e.url(), e.body
	if b.who != "" {
		who = b.who
	}
	if b.target != "" {
		target = b.target
	}
	if b.body != "" {
		body = b.body
	}
	a := f.ask(t, who, e.method, target, body, change...)
	if a.status != b.status || a.problem.Code != b.code || a.problem.Field != b.field {
		t.Errorf("%s %s %.200s: got %d %s %q (%s), want %d %s %q", e.method, target, body,
			a.status, a.problem.Code, a.problem.Field, a.problem.Detail, b.status, b.code, b.field)
	}
	f.requireUntouched(t)
}

func TestEndpoints_BadRequestsAreRefusedAndChangeNothing(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			for _, b := range e.bad {
				t.Run(b.name, func(t *testing.T) { f.requireRefused(t, &e, b) })
			}
		})
	}
}

func TestEndpoints_TokensAndRolesAreChecked(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			unknown := badRequest{status: 401, code: CodeTokenMissing}
			f.requireRefused(t, &e, unknown, func(r *http.Request) { r.Header.Del("Authorization") })
			f.clock.set(testTime.Add(time.Hour + TokenLeeway))
			f.requireRefused(t, &e, badRequest{status: 401, code: CodeTokenExpired})
			f.clock.set(testTime)
			for _, who := range e.others {
				f.requireRefused(t, &e, badRequest{who: who, status: 403, code: corehour.CodeForbidden})
			}
			// A wrong role learns that before anything of the request is looked at.
			for _, who := range e.others {
				f.requireRefused(t, &e, badRequest{who: who, body: `{`, status: 403, code: corehour.CodeForbidden})
				f.requireRefused(t, &e, badRequest{who: who, target: e.url() + "?nonsense", status: 403, code: corehour.CodeForbidden})
			}
			f.requireRefused(t, &e, badRequest{target: e.url() + "?nonsense=1", status: 400, code: CodeUnknownParameter, field: "query.nonsense"})
		})
	}
}

func TestEndpoints_UnreadableBodiesAreRefused(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			if e.body == "" {
				f.requireRefused(t, &e, badRequest{body: `{}`, status: 400, code: wrong, field: "body"})
				return
			}
			for name, body := range map[string]string{
				"cut off": e.body[:len(e.body)-1], "only white space": "  ", "trailing comma": e.body[:len(e.body)-1] + ",}",
				"something after": e.body + " {}", "a byte after": e.body + "x", "a byte order mark": "\ufeff" + e.body,
				"single quotes": strings.ReplaceAll(e.body, `"`, `'`), "a comment": "/* */" + e.body, "not UTF-8": e.body[:1] + "\"\xff\":1," + e.body[1:],
				"a control character": e.body[:1] + "\"a\nb\":1," + e.body[1:], "half a surrogate pair": e.body[:1] + `"\ud800":1,` + e.body[1:],
				"an unknown escape": e.body[:1] + `"\x":1,` + e.body[1:], "a leading zero": e.body[:1] + `"x":01,` + e.body[1:],
				"a NaN": e.body[:1] + `"x":NaN,` + e.body[1:], "a plus": e.body[:1] + `"x":+1,` + e.body[1:],
				"nested too deep":    e.body[:1] + `"x":` + strings.Repeat("[", MaxBodyDepth) + strings.Repeat("]", MaxBodyDepth) + "," + e.body[1:],
				"nested without end": strings.Repeat(`{"x":`, 100_000),
			} {
				t.Run(name, func(t *testing.T) {
					f.requireRefused(t, &e, badRequest{body: body, status: 400, code: CodeMalformedJSON, field: "body"})
				})
			}
			first := strings.SplitN(e.body[1:], ":", 2)[0]
			name := strings.Trim(first, `"`)
			f.requireRefused(t, &e, invalid("", e.body[:1]+first+`:`+strings.SplitN(e.body, ":", 2)[1][:len(strings.SplitN(e.body, ":", 2)[1])-1]+","+e.body[1:], CodeDuplicateField, "body."+name))
			for _, body := range []string{`[]`, `null`, `"x"`, `5`, `true`, `[` + e.body + `]`} {
				f.requireRefused(t, &e, invalid("", body, wrong, "body"))
			}
			f.requireRefused(t, &e, invalid("", `{"nonsense":{"a":[1,"b",null]},`+e.body[1:], CodeUnknownField, "body.nonsense"))
			f.requireRefused(t, &e, badRequest{body: e.body + strings.Repeat(" ", MaxBodyBytes), status: 413, code: CodeBodyTooLarge, field: "body"})
			f.requireRefused(t, &e, badRequest{body: e.body + strings.Repeat(" ", MaxBodyBytes), status: 413, code: CodeBodyTooLarge, field: "body"},
				func(r *http.Request) { r.ContentLength = -1 }) // as a chunked one has
			f.requireRefused(t, &e, badRequest{status: 400, code: CodeBodyMissing, field: "body"},
				func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 })
			for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonx", ";"} {
				f.requireRefused(t, &e, badRequest{status: 415, code: CodeUnsupportedMedia, field: "header.Content-Type"},
					func(r *http.Request) { r.Header.Set("Content-Type", kind) })
			}
		})
	}
}

// Every field of every body is tried with values of other types, without it
// where it is required, and beyond its limits, as the document states them.
func TestEndpoints_EveryFieldIsHeldToItsSchema(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		if e.body == "" {
			continue
		}
		t.Run(e.id, func(t *testing.T) {
			schema := f.bodySchema(t, e.id)
			for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
				p := f.resolve(schema.Properties[name])
				field := "body." + name
				for kind, value := range map[string]string{"string": `"x"`, "integer": `1`, "number": `1.5`, "boolean": `true`, "object": `{}`, "array": `[]`, "null": `null`} {
					if kind == p.Type || kind == "array" && p.Type == "array" {
						continue
					}
					f.requireRefused(t, &e, invalid("", with(e.body, name, value), wrong, field))
				}
				if slices.Contains(schema.Required, name) {
					f.requireRefused(t, &e, invalid("", with(e.body, name, ""), missing, field))
				}
				if p.Maximum != nil {
					f.requireRefused(t, &e, invalid("", with(e.body, name, fmt.Sprintf("%.0f", *p.Maximum+1)), oor, field))
				}
				if p.Minimum != nil {
					f.requireRefused(t, &e, invalid("", with(e.body, name, fmt.Sprintf("%.0f", *p.Minimum-1)), oor, field))
				}
				if p.MaxLength != nil {
					f.requireRefused(t, &e, invalid("", with(e.body, name, `"`+strings.Repeat("A", *p.MaxLength+1)+`"`), oor, field))
				}
			}
		})
	}
}

func (f *fixture) resolve(s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = f.registry.SchemaFromRef(s.Ref)
	}
	return s
}

func (f *fixture) bodySchema(t *testing.T, id string) *huma.Schema {
	t.Helper()
	for _, item := range f.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch} {
			if op != nil && op.OperationID == id {
				return f.resolve(op.RequestBody.Content[jsonContentType].Schema)
			}
		}
	}
	t.Fatalf("no body of %s", id)
	return nil
}

// The requests that the tests above spoil are good ones.
func TestEndpoints_GoodRequestsAreAnswered(t *testing.T) {
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			f := newFixture(t)
			f.exchange.reply.Bid, f.exchange.reply.Offer = 1, 1
			if a := f.ask(t, e.who, e.method, e.url(), e.body); a.status != 200 && a.status != 201 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		})
	}
}

// A stranger cannot tell what belongs to others from what does not exist.
func TestEndpoints_ForeignLooksLikeMissing(t *testing.T) {
	f := newFixture(t)
	f.exchange.offer.Status = "closed"
	for _, c := range []struct{ who, method, there, missing, body string }{
		{"consumer2", "GET", "/v1/accounts/lab-a", "/v1/accounts/nobody", ""},
		{"consumer2", "GET", "/v1/offers/offer-1", "/v1/offers/offer-2", ""},
		{"provider2", "DELETE", "/v1/offers/offer-1", "/v1/offers/offer-2", ""},
		{"consumer2", "GET", "/v1/bids/bid-1", "/v1/bids/bid-2", ""},
		{"consumer2", "DELETE", "/v1/bids/bid-1", "/v1/bids/bid-2", ""},
		{"consumer2", "GET", "/v1/leases/lease-1", "/v1/leases/lease-2", ""},
		{"provider2", "POST", "/v1/leases/lease-1/accept", "/v1/leases/lease-2/accept", ""},
		{"provider2", "POST", "/v1/leases/lease-1/end", "/v1/leases/lease-2/end", `{}`},
		{"consumer2", "GET", "/v1/leases/lease-1/usage", "/v1/leases/lease-2/usage", ""},
		{"consumer2", "GET", "/v1/invoices/INV-2026-000001", "/v1/invoices/INV-2026-000002", ""},
		{"provider2", "GET", "/v1/statements/STM-2026-000001", "/v1/statements/STM-2026-000002", ""},
	} {
		there, missing := f.ask(t, c.who, c.method, c.there, c.body), f.ask(t, c.who, c.method, c.missing, c.body)
		if there.status != 404 || there.body != missing.body {
			t.Errorf("%s %s: %d %s, but %s: %s", c.method, c.there, there.status, there.body, c.missing, missing.body)
		}
		f.requireUntouched(t)
	}
}

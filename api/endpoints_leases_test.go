package api

import (
	"encoding/json"
	"strings"

	"github.com/corehour/corehour"
)

func leaseEndpoints() []endpoint {
	return []endpoint{
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
	}
}

func usageEndpoints() []endpoint {
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
	return []endpoint{
		{id: "report-usage", method: "POST", path: "/v1/usage", who: "provider", others: except("provider"), body: goodUsage, bad: reportUsage},
		{id: "close-usage", method: "POST", path: "/v1/usage/close", who: "provider", others: except("provider"), body: `{"leases":["lease-1"]}`, bad: []badRequest{
			invalid("none", `{"leases":[]}`, oor, "body.leases"), invalid("a number", `{"leases":["lease-1",2]}`, wrong, "body.leases[1]"),
			invalid("not a list", `{"leases":"lease-1"}`, wrong, "body.leases"),
		}},
	}
}

func documentEndpoints() []endpoint {
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
	return []endpoint{
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

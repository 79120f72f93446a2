package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/metering"
)

func TestLists_AskForWhatTheCallerMaySee(t *testing.T) {
	for _, c := range []struct {
		who, target string
		want        any
	}{
		{"finance", "/v1/accounts?after=lab-a&limit=2", accountsQuery{"lab-a", 2}},
		{"operator", "/v1/accounts", accountsQuery{"", 50}},
		{"consumer", "/v1/offers", exchange.OfferQuery{Status: "open", Limit: 50}},
		{"consumer", "/v1/offers?status=open&product=cpu.standard&region=eu&provider=dc-north&after=offer-3&limit=500",
			exchange.OfferQuery{Product: "cpu.standard", Region: "eu", Provider: dcNorth, Status: "open", After: 3, Limit: 500}},
		{"provider2", "/v1/offers?provider=dc-north", exchange.OfferQuery{Provider: dcNorth, Status: "open", Limit: 50}},
		{"provider", "/v1/offers?provider=dc-north", exchange.OfferQuery{Provider: dcNorth, Limit: 50}},
		{"provider", "/v1/offers?provider=dc-north&status=closed", exchange.OfferQuery{Provider: dcNorth, Status: "closed", Limit: 50}},
		{"finance", "/v1/offers?status=closed", exchange.OfferQuery{Status: "closed", Limit: 50}},
		{"consumer", "/v1/bids", exchange.BidQuery{Consumer: labA, Limit: 50}},
		{"consumer", "/v1/bids?consumer=lab-a&status=closed&product=p&after=bid-9", exchange.BidQuery{Consumer: labA, Product: "p", Status: "closed", After: 9, Limit: 50}},
		{"operator", "/v1/bids", exchange.BidQuery{Limit: 50}},
		{"finance", "/v1/bids?consumer=lab-b", exchange.BidQuery{Consumer: labB, Limit: 50}},
		{"consumer", "/v1/leases", exchange.LeaseQuery{Consumer: labA, Limit: 50}},
		{"consumer", "/v1/leases?provider=dc-north&bid=bid-1&offer=offer-2&status=active&after=lease-5&limit=1",
			exchange.LeaseQuery{Consumer: labA, Provider: dcNorth, Bid: 1, Offer: 2, Status: "active", After: 5, Limit: 1}},
		{"provider", "/v1/leases?consumer=lab-a", exchange.LeaseQuery{Provider: dcNorth, Consumer: labA, Limit: 50}},
		{"operator", "/v1/leases", exchange.LeaseQuery{Limit: 50}},
	} {
		f := newFixture(t)
		if a := f.ask(t, c.who, "GET", c.target, ""); a.status != 200 {
			t.Errorf("%s: %d %s", c.target, a.status, a.body)
		}
		if got := f.exchange.asked(); got != c.want {
			t.Errorf("%s as %s asked %+v, want %+v", c.target, c.who, got, c.want)
		}
	}
}

func TestDocumentLists_AskForWhatTheCallerMaySee(t *testing.T) {
	for _, c := range []struct {
		who, target string
		want        any
	}{
		{"consumer", "/v1/invoices?limit=7", billing.InvoiceFilter{Consumer: labA, Limit: 7}},
		{"finance", "/v1/invoices?after=INV-2026-000001", billing.InvoiceFilter{After: "INV-2026-000001", Limit: 50}},
		{"operator", "/v1/invoices?account=lab-b", billing.InvoiceFilter{Consumer: labB, Limit: 50}},
		{"provider", "/v1/statements", billing.StatementFilter{Provider: dcNorth, Limit: 50}},
		{"finance", "/v1/statements", billing.StatementFilter{Limit: 50}},
	} {
		f := newFixture(t)
		if a := f.ask(t, c.who, "GET", c.target, ""); a.status != 200 {
			t.Errorf("%s: %d %s", c.target, a.status, a.body)
		}
		if f.billing.asked != c.want {
			t.Errorf("%s as %s asked %+v, want %+v", c.target, c.who, f.billing.asked, c.want)
		}
	}
}

func TestPages_NameTheNextOneWhereTheyAreFull(t *testing.T) {
	f := newFixture(t)
	var page Page[json.RawMessage]
	for target, next := range map[string]string{
		"/v1/accounts?limit=2": "lab-b", "/v1/accounts?limit=3": "", "/v1/offers?limit=1": "offer-1", "/v1/bids?limit=1": "bid-1",
		"/v1/leases?limit=1": "lease-1", "/v1/invoices?limit=1": "INV-2026-000001", "/v1/statements?limit=1": "STM-2026-000001",
		"/v1/ledger/balances?limit=1": "cash", "/v1/products": "", "/v1/regions": "",
	} {
		a := f.ask(t, "finance", "GET", target, "")
		page = Page[json.RawMessage]{}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || page.Next != next || len(page.Items) == 0 {
			t.Errorf("%s: next %q, want %q: %s", target, page.Next, next, a.body)
		}
	}
}

func TestOffers_ClientIDIsForTheirProviderOnly(t *testing.T) {
	f := newFixture(t)
	for who, sees := range map[string]bool{"provider": true, "finance": true, "operator": true, "consumer": false, "provider2": false} {
		for _, target := range []string{"/v1/offers", "/v1/offers/offer-1"} {
			if a := f.ask(t, who, "GET", target, ""); strings.Contains(a.body, "north-1") != sees {
				t.Errorf("%s as %s: %s", target, who, a.body)
			}
		}
	}
}

func TestOffer_ClosedOneIsReadByItsOwn(t *testing.T) {
	f := newFixture(t)
	f.exchange.offer.Status, f.exchange.offer.Closed = exchange.StatusClosed, corehour.CloseCancelled
	for who, want := range map[string]int{"provider": 200, "finance": 200, "operator": 200, "consumer": 404, "provider2": 404} {
		if a := f.ask(t, who, "GET", "/v1/offers/offer-1", ""); a.status != want {
			t.Errorf("%s: %d", who, a.status)
		}
	}
}

func TestReads_EverySideReadsItsOwn(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		target string
		may    []string
	}{
		{"/v1/accounts/lab-a", []string{"consumer", "finance", "operator"}},
		{"/v1/bids/bid-1", []string{"consumer", "finance", "operator"}},
		{"/v1/leases/lease-1", []string{"consumer", "provider", "finance", "operator"}},
		{"/v1/leases/lease-1/usage", []string{"consumer", "provider", "finance", "operator"}},
		{"/v1/invoices/INV-2026-000001", []string{"consumer", "finance", "operator"}},
		{"/v1/statements/STM-2026-000001", []string{"provider", "finance", "operator"}},
	} {
		for _, who := range c.may {
			if a := f.ask(t, who, "GET", c.target, ""); a.status != 200 {
				t.Errorf("%s as %s: %d %s", c.target, who, a.status, a.body)
			}
		}
	}
}

func TestAccount_ShowsItsFunds(t *testing.T) {
	f := newFixture(t)
	a := f.ask(t, "consumer", "GET", "/v1/accounts/lab-a", "")
	if strings.TrimSpace(a.body) != `{"account":"lab-a","org":"university","name":"Laboratory","available":"12.50","held":"1.008","credit_limit":"0.00","bond":"0.00"}` {
		t.Error(a.body)
	}
}

func TestUsage_RecordsArriveExactlyAndResultsPointAtThem(t *testing.T) {
	f := newFixture(t)
	f.metering.results = []metering.Result{
		{RecordID: "r-1", Lease: 1, Status: metering.StatusAccepted},
		{RecordID: "r-2", Lease: 2, Status: metering.StatusRejected, Code: metering.CodeExceedsCapacity, Field: "cpu_us", Message: "too much"},
	}
	a := f.ask(t, "provider", "POST", "/v1/usage", `{"records":[`+
		`{"record_id":"r-1","lease":"lease-1","from":"2026-03-01T12:00:00Z","to":"2026-03-01T13:00:00Z","cpu_seconds":"57600.25"},`+
		`{"record_id":"r-2","lease":"lease-2","from":"2026-03-01T12:00:00.000001Z","to":"2026-03-01T13:00:00Z","cpu_seconds":"0"}]}`)
	if a.status != 200 || strings.TrimSpace(a.body) != `{"items":[{"record_id":"r-1","lease":"lease-1","status":"accepted"},`+
		`{"record_id":"r-2","lease":"lease-2","status":"rejected","code":"exceeds_capacity","field":"body.records[1].cpu_seconds","detail":"too much"}]}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	from := instantAt("2026-03-01T12:00:00Z")
	want := []metering.Record{
		{RecordID: "r-1", Lease: 1, From: from, To: from + 3_600_000_000, Used: 57_600_250_000},
		{RecordID: "r-2", Lease: 2, From: from + 1, To: from + 3_600_000_000, Used: 0},
	}
	if !reflect.DeepEqual(f.metering.records, want) {
		t.Errorf("reported %+v", f.metering.records)
	}
}

func TestUsage_AThousandRecordsFitOneRequest(t *testing.T) {
	f := newFixture(t)
	record := `{"record_id":"` + strings.Repeat("r", 64) + `","lease":"lease-9223372036854775807","from":"2026-03-01T12:00:00.123456+00:00","to":"2026-03-01T13:00:00.123456+00:00","cpu_seconds":"999999999999.999999"}`
	body := `{"records":[` + strings.TrimSuffix(strings.Repeat(record+",\n    ", 1000), ",\n    ") + `]}`
	if a := f.ask(t, "provider", "POST", "/v1/usage", body); a.status != 200 || len(f.metering.records) != 1000 {
		t.Errorf("%d bytes: %d %.200s", len(body), a.status, a.body)
	}
}

func TestCloseUsage_ResultsPointAtTheLeases(t *testing.T) {
	f := newFixture(t)
	f.metering.results = []metering.Result{{Lease: 1, Status: metering.StatusRepeated}, {Lease: 2, Status: metering.StatusRejected, Code: "lease_not_ended", Field: "lease", Message: "not yet"}}
	a := f.ask(t, "provider", "POST", "/v1/usage/close", `{"leases":["lease-1","lease-2"]}`)
	if strings.TrimSpace(a.body) != `{"items":[{"lease":"lease-1","status":"repeated"},{"lease":"lease-2","status":"rejected","code":"lease_not_ended","field":"body.leases[1]","detail":"not yet"}]}` {
		t.Error(a.body)
	}
	if !reflect.DeepEqual(f.metering.closed, []corehour.LeaseID{1, 2}) {
		t.Errorf("closed %v", f.metering.closed)
	}
}

func TestLeaseUsage_IsByTheHourAndEmptyBeforeMeteringKnowsTheLease(t *testing.T) {
	f := newFixture(t)
	f.metering.usageErr = corehour.Errorf(corehour.KindNotFound, corehour.CodeUnknownLease, "unknown")
	a := f.ask(t, "consumer", "GET", "/v1/leases/lease-1/usage", "")
	if a.status != 200 || strings.TrimSpace(a.body) != `{"lease":"lease-1","status":"matched","closed":false,"records":0,"cpu_seconds":"0","hours":[]}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.metering.usageErr = nil
	f.metering.usage = metering.Usage{Closed: true, Records: 2, Used: 1_500_000, Hours: []metering.HourUsage{{Hour: minuteAt("2026-03-01T12:00:00Z"), Records: 2, Used: 1_500_000}}}
	a = f.ask(t, "consumer", "GET", "/v1/leases/lease-1/usage", "")
	if strings.TrimSpace(a.body) != `{"lease":"lease-1","status":"matched","closed":true,"records":2,"cpu_seconds":"1.5","hours":[{"hour":"2026-03-01T12:00:00Z","records":2,"cpu_seconds":"1.5"}]}` {
		t.Error(a.body)
	}
}

func TestDocuments_AreIssuedForAMonth(t *testing.T) {
	for _, path := range []string{"/v1/invoices", "/v1/statements"} {
		f := newFixture(t)
		a := f.ask(t, "finance", "POST", path, `{"period":"2026-02"}`)
		if a.status != 200 || strings.TrimSpace(a.body) != `{"period":"2026-02","issued":1}` || len(f.billing.issued) != 1 || f.billing.issued[0].String() != "2026-02" {
			t.Errorf("%s: %d %s %v", path, a.status, a.body, f.billing.issued)
		}
		f.billing.err = &corehour.Error{Kind: corehour.KindRejected, Code: billing.CodePeriodNotOver, Field: "period", Message: "not over"}
		if a := f.ask(t, "finance", "POST", path, `{"period":"2026-02"}`); a.status != 422 || a.problem.Code != "period_not_over" || a.problem.Field != "body.period" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestDocument_IsGivenAsJSONOrCSV(t *testing.T) {
	f := newFixture(t)
	accept := func(kinds string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Accept", kinds) }
	}
	for _, c := range []struct {
		query, accept, want string
	}{
		{"", "", "json"}, {"", "*/*", "json"}, {"", "application/json", "json"}, {"", "text/csv", "csv"},
		{"", "text/csv;q=0.5, application/json", "json"}, {"", "application/json;q=0.5, text/csv", "csv"}, {"", "text/html", "json"},
		{"?format=csv", "", "csv"}, {"?format=csv", "application/json", "csv"}, {"?format=json", "text/csv", "json"},
	} {
		a := f.ask(t, "consumer", "GET", "/v1/invoices/INV-2026-000001"+c.query, "", accept(c.accept))
		b := f.ask(t, "provider", "GET", "/v1/statements/STM-2026-000001"+c.query, "", accept(c.accept))
		kind := map[string]string{"json": "application/json", "csv": "text/csv; charset=utf-8"}[c.want]
		if a.header.Get("Content-Type") != kind || b.header.Get("Content-Type") != kind {
			t.Errorf("%+v: %s and %s", c, a.header.Get("Content-Type"), b.header.Get("Content-Type"))
		}
		if !strings.Contains(a.header.Get("Content-Disposition"), `"INV-2026-000001.`+c.want+`"`) {
			t.Errorf("%+v: %s", c, a.header.Get("Content-Disposition"))
		}
	}
	asJSON := f.ask(t, "consumer", "GET", "/v1/invoices/INV-2026-000001", "")
	var back billing.Invoice
	if err := json.Unmarshal([]byte(asJSON.body), &back); err != nil || !reflect.DeepEqual(back, f.billing.invoice) {
		t.Errorf("%+v, %v", back, err)
	}
	asCSV := f.ask(t, "consumer", "GET", "/v1/invoices/INV-2026-000001?format=csv", "")
	if lines := strings.Split(strings.TrimSpace(asCSV.body), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[0], "invoice,consumer,") || !strings.Contains(lines[1], ",1.008") {
		t.Errorf("%q", asCSV.body)
	}
}

func TestLedger_IsShownAndChecked(t *testing.T) {
	f := newFixture(t)
	if a := f.ask(t, "finance", "GET", "/v1/ledger/balances", ""); strings.TrimSpace(a.body) != `{"items":[{"account":"cash","amount":"-5.00"}]}` {
		t.Error(a.body)
	}
	if a := f.ask(t, "operator", "GET", "/v1/ledger/check", ""); strings.TrimSpace(a.body) != `{"sum":"0.00","findings":[],"differences":[]}` {
		t.Error(a.body)
	}
	f.ledger.check = LedgerCheck{Sum: 1, Findings: []billing.Finding{{Subject: "cash", Problem: "off"}},
		Differences: []billing.Difference{{Account: "lab-a/held", Ledger: billing.AmountOf(2_000_000_000), Exchange: billing.AmountOf(1)}}}
	if a := f.ask(t, "operator", "GET", "/v1/ledger/check", ""); strings.TrimSpace(a.body) != `{"sum":"0.000000001","findings":[{"subject":"cash","problem":"off"}],`+
		`"differences":[{"account":"lab-a/held","ledger":"2.00","exchange":"0.000000001"}]}` {
		t.Error(a.body)
	}
}

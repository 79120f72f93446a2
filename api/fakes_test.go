package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/metering"
	"github.com/corehour/corehour/providers"
)

// The accounts of the tests. lab-a takes lease-1 from dc-north; the others are
// strangers to it.
const (
	labA    = corehour.AccountID("lab-a")
	labB    = corehour.AccountID("lab-b")
	dcNorth = corehour.AccountID("dc-north")
	dcSouth = corehour.AccountID("dc-south")
	office  = corehour.AccountID("office")
)

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type fixedClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fixedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fixedClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// fakeExchange has one of everything and remembers what it was told.
type fakeExchange struct {
	mu       sync.Mutex
	commands []exchange.Command
	queries  []any
	reply    exchange.Reply
	replies  []exchange.Reply // of the first commands of a SubmitAll, in place of reply
	err      error
	queryErr error                     // of questions about the market
	before   func(ctx context.Context) // runs in every Submit, if set

	offer exchange.OfferView
	bid   exchange.BidView
	lease exchange.LeaseView
}

func newFakeExchange() *fakeExchange {
	f := &fakeExchange{}
	start := corehour.InstantOf(testTime).FloorMinute()
	f.offer = exchange.OfferView{Status: exchange.StatusOpen, Offer: corehour.Offer{
		ID: 1, Product: "cpu.standard", Provider: dcNorth, Org: "north", Region: "europe-north1", Units: 64,
		From: start, To: start.Add(1440), Price: 31_500_000, Carbon: 3250, SLA: corehour.SLAStandard,
		MinFill: 1, MinDuration: 1, ClientID: "north-1", PlacedAt: start.Instant(),
	}}
	f.bid = exchange.BidView{Status: exchange.StatusOpen, Filled: 16, Open: 4, Bid: corehour.Bid{
		ID: 1, Product: "cpu.standard", Consumer: labA, Org: "university", Units: 20, Duration: 120,
		EarliestStart: start, LatestEnd: start.Add(600), Limit: 40_000_000, MinSLA: corehour.SLABasic, MinFill: 1,
		MaxLeases: 10, TimeInForce: corehour.GoodTillCancelled, PlacedAt: start.Instant(),
	}}
	f.lease = exchange.LeaseView{Status: corehour.StatusMatched, Lease: corehour.Lease{
		ID: 1, Product: "cpu.standard", Bid: 1, Offer: 1, Consumer: labA, ConsumerOrg: "university",
		Provider: dcNorth, ProviderOrg: "north", Region: "europe-north1", Units: 16, Start: start, End: start.Add(120),
		Price: 31_500_000, Carbon: 3250, SLA: corehour.SLAStandard, Fee: 250, Hold: 1_008_000_000, MatchedAt: start.Instant(),
	}}
	return f
}

func (f *fakeExchange) Submit(ctx context.Context, c exchange.Command) (exchange.Reply, error) {
	if f.before != nil {
		f.before(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commands = append(f.commands, c)
	return f.reply, f.err
}

func (f *fakeExchange) SubmitAll(_ context.Context, commands []exchange.Command) ([]exchange.Reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commands = append(f.commands, commands...)
	replies := make([]exchange.Reply, len(commands))
	for i := range replies {
		replies[i] = f.reply
		if i < len(f.replies) {
			replies[i] = f.replies[i]
		}
	}
	return replies, f.err
}

// taken returns the commands so far and forgets them.
func (f *fakeExchange) taken() []exchange.Command {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.commands
	f.commands = nil
	return c
}

// asked returns the last query.
func (f *fakeExchange) asked() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queries) == 0 {
		return nil
	}
	return f.queries[len(f.queries)-1]
}

func (f *fakeExchange) note(q any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, q)
}

func (f *fakeExchange) Oversight(context.Context) (exchange.OversightView, error) {
	return exchange.OversightView{Rules: corehour.StandardLeaseRules(), Watched: 7, Suspect: 1}, nil
}

func (f *fakeExchange) Products(context.Context) ([]corehour.Product, error) {
	return []corehour.Product{{ID: "cpu.standard", Unit: "1 vCPU"}}, nil
}

func (f *fakeExchange) Regions(context.Context) ([]corehour.Region, error) {
	return []corehour.Region{{ID: "europe-north1", Country: "FI", Continent: "europe", Zone: "FI"}}, nil
}

func (f *fakeExchange) Account(_ context.Context, id corehour.AccountID) (exchange.AccountView, error) {
	if id == "nobody" {
		return exchange.AccountView{}, corehour.Errorf(corehour.KindNotFound, exchange.CodeUnknownAccount, "no account %s", id)
	}
	return exchange.AccountView{Account: id, Org: "university", Name: "Laboratory", Available: 12_500_000_000, Held: 1_008_000_000}, nil
}

type accountsQuery struct {
	after corehour.AccountID
	limit int
}

func (f *fakeExchange) Accounts(_ context.Context, after corehour.AccountID, limit int) ([]exchange.AccountView, error) {
	f.note(accountsQuery{after, limit})
	return []exchange.AccountView{{Account: labA, Org: "university"}, {Account: labB, Org: "college"}}, nil
}

func (f *fakeExchange) Offer(_ context.Context, id corehour.OfferID) (exchange.OfferView, error) {
	if id != f.offer.ID {
		return exchange.OfferView{}, corehour.Errorf(corehour.KindNotFound, exchange.CodeUnknownOffer, "no offer %s", id)
	}
	return f.offer, nil
}

func (f *fakeExchange) Offers(_ context.Context, q exchange.OfferQuery) ([]exchange.OfferView, error) {
	f.note(q)
	return []exchange.OfferView{f.offer}, nil
}

func (f *fakeExchange) Bid(_ context.Context, id corehour.BidID) (exchange.BidView, error) {
	if id != f.bid.ID {
		return exchange.BidView{}, corehour.Errorf(corehour.KindNotFound, exchange.CodeUnknownBid, "no bid %s", id)
	}
	return f.bid, nil
}

func (f *fakeExchange) Bids(_ context.Context, q exchange.BidQuery) ([]exchange.BidView, error) {
	f.note(q)
	return []exchange.BidView{f.bid}, nil
}

func (f *fakeExchange) Lease(_ context.Context, id corehour.LeaseID) (exchange.LeaseView, error) {
	if id != f.lease.ID {
		return exchange.LeaseView{}, corehour.Errorf(corehour.KindNotFound, exchange.CodeUnknownLease, "no lease %s", id)
	}
	return f.lease, nil
}

func (f *fakeExchange) Leases(_ context.Context, q exchange.LeaseQuery) ([]exchange.LeaseView, error) {
	f.note(q)
	return []exchange.LeaseView{f.lease}, nil
}

type fakeMetering struct {
	mu       sync.Mutex
	records  []metering.Record
	closed   []corehour.LeaseID
	calls    int
	results  []metering.Result
	err      error
	usage    metering.Usage
	usageErr error
}

func (f *fakeMetering) Report(_ context.Context, _ corehour.AccountID, records []metering.Record) ([]metering.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.records = records
	return f.results, f.err
}

func (f *fakeMetering) Close(_ context.Context, _ corehour.AccountID, leases []corehour.LeaseID) ([]metering.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.closed = leases
	return f.results, f.err
}

func (f *fakeMetering) LeaseUsage(context.Context, corehour.LeaseID) (metering.Usage, error) {
	return f.usage, f.usageErr
}

type fakeBilling struct {
	mu        sync.Mutex
	issued    []billing.Period
	err       error
	invoice   billing.Invoice
	statement billing.Statement
	asked     any
}

func (f *fakeBilling) IssueInvoices(_ context.Context, p billing.Period) ([]billing.Invoice, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.issued = append(f.issued, p)
	return []billing.Invoice{f.invoice}, f.err
}

func (f *fakeBilling) IssueStatements(_ context.Context, p billing.Period) ([]billing.Statement, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.issued = append(f.issued, p)
	return []billing.Statement{f.statement}, f.err
}

func (f *fakeBilling) Invoices(_ context.Context, q billing.InvoiceFilter) ([]billing.Invoice, error) {
	f.asked = q
	return []billing.Invoice{f.invoice}, nil
}

func (f *fakeBilling) Statements(_ context.Context, q billing.StatementFilter) ([]billing.Statement, error) {
	f.asked = q
	return []billing.Statement{f.statement}, nil
}

func (f *fakeBilling) Invoice(_ context.Context, number string) (billing.Invoice, error) {
	if number != f.invoice.Number {
		return billing.Invoice{}, corehour.Errorf(corehour.KindNotFound, corehour.CodeNotFound, "there is no invoice with this number")
	}
	return f.invoice, nil
}

func (f *fakeBilling) Statement(_ context.Context, number string) (billing.Statement, error) {
	if number != f.statement.Number {
		return billing.Statement{}, corehour.Errorf(corehour.KindNotFound, corehour.CodeNotFound, "there is no statement with this number")
	}
	return f.statement, nil
}

type fakeLedger struct{ check LedgerCheck }

func (f *fakeLedger) Balances(context.Context, string, int) ([]billing.Balance, error) {
	return []billing.Balance{{Account: "cash", Amount: billing.AmountOf(-5_000_000_000)}}, nil
}

func (f *fakeLedger) CheckLedger(context.Context) (LedgerCheck, error) { return f.check, nil }

// fakeDeliveries is an inbox that wakes who waits.
type fakeDeliveries struct {
	mu      sync.Mutex
	items   []providers.Delivery
	come    chan struct{}
	waiting chan struct{} // gets a value when a Wait has begun
}

func newFakeDeliveries() *fakeDeliveries {
	return &fakeDeliveries{come: make(chan struct{}), waiting: make(chan struct{}, 16)}
}

func (f *fakeDeliveries) deliver(d providers.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = append(f.items, d)
	close(f.come)
	f.come = make(chan struct{})
}

func (f *fakeDeliveries) Deliveries(_ context.Context, _ corehour.AccountID, after int64, limit int) ([]providers.Delivery, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var page []providers.Delivery
	for _, d := range f.items {
		if d.Cursor > after && len(page) < limit {
			page = append(page, d)
		}
	}
	return page, nil
}

func (f *fakeDeliveries) Wait(ctx context.Context, _ corehour.AccountID, _ int64) error {
	f.mu.Lock()
	come := f.come
	f.mu.Unlock()
	f.waiting <- struct{}{}
	select {
	case <-come:
	case <-ctx.Done():
	}
	return nil
}

// fixture is a server with fakes around it.
type fixture struct {
	*Server
	exchange   *fakeExchange
	metering   *fakeMetering
	billing    *fakeBilling
	ledger     *fakeLedger
	deliveries *fakeDeliveries
	clock      *fixedClock
	keys       *Keys
	log        *bytes.Buffer
	ready      error
	tokens     map[string]string
}

// testKey is a fixed key; the tests' tokens protect nothing.
func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func newFixture(tb testing.TB, change ...func(*Config, *limits)) *fixture {
	tb.Helper()
	keys, err := NewKeys(testKey(1))
	if err != nil {
		tb.Fatal(err)
	}
	f := &fixture{
		exchange: newFakeExchange(), metering: &fakeMetering{}, billing: &fakeBilling{}, ledger: &fakeLedger{},
		deliveries: newFakeDeliveries(), clock: &fixedClock{now: testTime}, keys: keys, log: &bytes.Buffer{},
		tokens: map[string]string{},
	}
	f.billing.invoice, f.billing.statement = sampleDocuments(tb)
	config := Config{
		Exchange: f.exchange, Deliveries: f.deliveries, Metering: f.metering, Billing: f.billing, Ledger: f.ledger,
		Keys: keys, TokenClock: f.clock, Ready: func(context.Context) error { return f.ready }, Version: "1.2.3",
		Logger: slog.New(slog.NewTextHandler(&lockedWriter{w: f.log}, &slog.HandlerOptions{Level: slog.LevelDebug})), AccessLevel: slog.LevelDebug,
	}
	l := defaultLimits()
	for _, c := range change {
		c(&config, &l)
	}
	if f.Server, err = newServer(config, l); err != nil {
		tb.Fatal(err)
	}
	for name, c := range map[string]Caller{
		"provider": {dcNorth, "north", RoleProvider}, "provider2": {dcSouth, "south", RoleProvider},
		"consumer": {labA, "university", RoleConsumer}, "consumer2": {labB, "college", RoleConsumer},
		// Accounts of lease-1 in the role of its other side.
		"buyerSelling": {labA, "university", RoleProvider}, "sellerBuying": {dcNorth, "north", RoleConsumer},
		"finance": {office, "exchange", RoleFinance}, "operator": {office, "exchange", RoleOperator},
	} {
		if f.tokens[name], err = keys.IssueToken(c, time.Hour, testTime); err != nil {
			tb.Fatal(err)
		}
	}
	return f
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// answer is a response that was read.
type answer struct {
	status  int
	header  http.Header
	body    string
	problem Problem // where it is one
}

// ask sends a request as somebody, "" for nobody.
func (f *fixture) ask(tb testing.TB, who, method, target, body string, change ...func(*http.Request)) answer {
	tb.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		token, ok := f.tokens[who]
		if !ok {
			tb.Fatalf("no token for %q", who)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	if a.status >= 400 {
		if got := a.header.Get("Content-Type"); got != "application/problem+json" {
			tb.Fatalf("%s %s: status %d with Content-Type %q: %s", method, target, a.status, got, a.body)
		}
		d := json.NewDecoder(strings.NewReader(a.body))
		d.DisallowUnknownFields()
		if err := d.Decode(&a.problem); err != nil {
			tb.Fatalf("%s %s: problem: %v: %s", method, target, err, a.body)
		}
		if a.problem.Status != a.status || a.problem.Type != ProblemType+string(a.problem.Code) || a.problem.Title == "" {
			tb.Fatalf("%s %s: inconsistent problem: %s", method, target, a.body)
		}
	}
	return a
}

func sampleDocuments(tb testing.TB) (billing.Invoice, billing.Statement) {
	tb.Helper()
	period, err := billing.ParsePeriod("2026-02")
	if err != nil {
		tb.Fatal(err)
	}
	start := period.Start()
	line := billing.Line{
		Number: 1, Lease: 1, Kind: corehour.ChargeUsage, Month: period, Product: "cpu.standard", Region: "europe-north1",
		Units: 16, Start: start, End: start.Add(120), Price: 31_500_000, Charges: 2, CPU: 115_200_000_000, CO2e: 104_000,
	}
	invoice := billing.Invoice{
		Number: "INV-2026-000001", Period: period, Consumer: labA, Org: "university", Name: "Laboratory A", Currency: "EUR",
		IssuedAt: corehour.InstantOf(testTime), LineCount: 1, CPU: line.CPU, CO2e: line.CO2e, Total: 1_008_000_000,
		Hash: strings.Repeat("ab", 32), Lines: []billing.InvoiceLine{{Line: line, Amount: 1_008_000_000}},
	}
	statement := billing.Statement{
		Number: "STM-2026-000001", Period: period, Provider: dcNorth, Org: "north", Name: "North", Currency: "EUR",
		IssuedAt: corehour.InstantOf(testTime), LineCount: 1, CPU: line.CPU, CO2e: line.CO2e,
		Gross: 1_008_000_000, Fee: 25_200_000, Net: 982_800_000, Hash: strings.Repeat("cd", 32),
		Lines: []billing.StatementLine{{Line: line, Gross: 1_008_000_000, Fee: 25_200_000, Net: 982_800_000}},
	}
	return invoice, statement
}

package main

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/testenv"
)

// TestService_OneOrderFromOfferToInvoiceOverHTTP walks one order through the
// whole service, embedded and on PostgreSQL, NATS and Redis, and kills the server
// in the middle of it.
func TestService_OneOrderFromOfferToInvoiceOverHTTP(t *testing.T) {
	for name, env := range map[string]func(*testing.T) []string{"embedded": noEnv, "external": externalEnv} {
		t.Run(name, func(t *testing.T) {
			w := newWalk(t, env(t))
			w.openMarket()
			lease := w.trade()
			w.server.kill()
			w.serve()
			w.sameAnswerAgain()
			w.deliver(lease)
			w.server.kill()
			w.serve()
			w.reportAndClose(lease)
			w.invoice(lease)
			w.server.stop()
			if files, err := filepath.Glob(filepath.Join(w.dir, snapshotDir, "*.snapshot")); err != nil || len(files) == 0 {
				t.Errorf("it stopped without a snapshot (%v)", err)
			}
			stdout, stderr, code := corehourCommand(t, w.env, "verify", "--data-dir", w.dir)
			if code != 0 || !strings.Contains(stdout, "state_hash ") {
				t.Fatalf("verify: %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}

func noEnv(*testing.T) []string { return nil }

func externalEnv(t *testing.T) []string {
	postgres, redis := testenv.PostgresURL(t), testenv.RedisURL(t)
	nats, _ := testenv.NATS(t)
	return []string{
		"DATABASE_URL=" + postgres, "NATS_URL=" + nats, "COREHOUR_NATS_REPLICAS=1", "REDIS_URL=" + redis,
	}
}

// walk is the state of a walk through the service.
type walk struct {
	t      *testing.T
	dir    string
	env    []string
	epoch  string
	server *process

	operator, finance, provider, consumer, stranger *client
	bid                                             api.PlaceBid
	placed                                          api.BidPlaced
}

func newWalk(t *testing.T, env []string) *walk {
	w := &walk{t: t, dir: filepath.Join(t.TempDir(), "data"), env: env, epoch: fmt.Sprint(time.Now().UnixNano())}
	w.serve()
	return w
}

func (w *walk) serve() {
	w.t.Helper()
	w.connect(start(w.t, childServe, w.epoch, w.env, "--data-dir", w.dir, "--listen", "127.0.0.1:0"))
}

// connect gives everybody a client of a server.
func (w *walk) connect(p *process) {
	w.t.Helper()
	w.server = p
	w.operator = as(w.t, w.server.base, w.dir, api.RoleOperator, "operator")
	w.finance = as(w.t, w.server.base, w.dir, api.RoleFinance, "finance")
	w.provider = as(w.t, w.server.base, w.dir, api.RoleProvider, "north")
	w.consumer = as(w.t, w.server.base, w.dir, api.RoleConsumer, "lab")
	w.stranger = as(w.t, w.server.base, w.dir, api.RoleConsumer, "stranger")
}

func (w *walk) openMarket() {
	w.operator.want(w.t, http.MethodPost, "/v1/products", api.DefineProduct{ID: "cpu.standard", Unit: "1 vCPU"}, nil)
	w.operator.want(w.t, http.MethodPost, "/v1/regions", map[string]string{
		"id": "europe-north1", "country": "FI", "continent": "europe", "zone": "FI"}, nil)
	for _, account := range []string{"north", "lab", "stranger"} {
		w.operator.want(w.t, http.MethodPost, "/v1/accounts", map[string]string{"account": account, "org": account, "name": account}, nil)
	}
	w.finance.want(w.t, http.MethodPost, "/v1/accounts/lab/deposits", map[string]string{"amount": "100", "reference": "wire-1"}, nil)
	carbon := corehour.CarbonRate(93)
	w.provider.want(w.t, http.MethodPost, "/v1/offers", api.PlaceOffer{
		Product: "cpu.standard", Region: "europe-north1", Units: 64, To: minute(w.t, "2024-03-01T00:00:00Z"),
		Price: price("0.05"), Carbon: &carbon, SLA: corehour.SLAStandard, TakeOrPay: 5000,
	}, nil)
}

func minute(t *testing.T, s string) corehour.Minute {
	t.Helper()
	var m corehour.Minute
	if err := m.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return m
}

// trade bids for 10 units for a day; 240 CPU-hours at 0.05 cost at most 12.
func (w *walk) trade() corehour.LeaseID {
	w.t.Helper()
	w.bid = api.PlaceBid{ClientID: "job-1", BidTerms: api.BidTerms{Product: "cpu.standard", Units: 10, Duration: 1440, Limit: price("0.06")}}
	w.consumer.want(w.t, http.MethodPost, "/v1/bids", w.bid, &w.placed)
	if len(w.placed.Fills) != 1 || w.placed.Filled != 10 || w.placed.Hold != 12*corehour.NanoPerUnit {
		w.t.Fatalf("placed %+v", w.placed)
	}
	var view exchange.AccountView
	w.consumer.want(w.t, http.MethodGet, "/v1/accounts/lab", nil, &view)
	if view.Available != 88*corehour.NanoPerUnit || view.Held != 12*corehour.NanoPerUnit {
		w.t.Fatalf("funds after the bid: %+v", view)
	}
	return w.placed.Fills[0].Lease
}

// sameAnswerAgain sends the acknowledged bid again after the server was killed.
func (w *walk) sameAnswerAgain() {
	w.t.Helper()
	var again api.BidPlaced
	w.consumer.want(w.t, http.MethodPost, "/v1/bids", w.bid, &again)
	if fmt.Sprint(again) != fmt.Sprint(w.placed) {
		w.t.Fatalf("the same client id was answered with\n%+v, before it was\n%+v", again, w.placed)
	}
	var bids api.Page[exchange.BidView]
	w.consumer.want(w.t, http.MethodGet, "/v1/bids", nil, &bids)
	if len(bids.Items) != 1 {
		w.t.Fatalf("%d bids", len(bids.Items))
	}
}

// deliver finds the lease in the provider's inbox, accepts and starts it.
func (w *walk) deliver(lease corehour.LeaseID) {
	w.t.Helper()
	var inbox api.DeliveryPage
	w.provider.want(w.t, http.MethodGet, "/v1/deliveries?wait=20", nil, &inbox)
	if len(inbox.Items) != 1 || inbox.Items[0].Lease.ID != lease {
		w.t.Fatalf("inbox %+v", inbox)
	}
	w.provider.want(w.t, http.MethodPost, "/v1/leases/"+lease.String()+"/accept", nil, nil)
	eventually(w.t, "the lease starts", func() bool {
		err := w.provider.call(w.t.Context(), http.MethodPost, "/v1/leases/"+lease.String()+"/start", nil, nil)
		var problem *problemError
		if errors.As(err, &problem) && problem.Code == exchange.CodeWrongStatus {
			return false // its first minute has not come
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return true
	})
	if err := w.stranger.call(w.t.Context(), http.MethodGet, "/v1/leases/"+lease.String(), nil, nil); err == nil {
		w.t.Fatal("a stranger reads the lease")
	}
}

// reportAndClose ends the lease after two hours, reports 6 of 10 units in the
// first and 2 in the second, each record twice, and closes it.
func (w *walk) reportAndClose(lease corehour.LeaseID) {
	w.t.Helper()
	var view exchange.LeaseView
	w.provider.want(w.t, http.MethodGet, "/v1/leases/"+lease.String(), nil, &view)
	end := api.EndLease{EndedAt: view.Start.Add(120).Instant()}
	eventually(w.t, "two hours have passed", func() bool {
		return w.provider.call(w.t.Context(), http.MethodPost, "/v1/leases/"+lease.String()+"/end", end, nil) == nil
	})
	hour := func(i corehour.Minutes, units int64) api.UsageRecord {
		from := view.Start.Add(60 * i)
		return api.UsageRecord{
			RecordID: fmt.Sprintf("%s-%d", lease, i), Lease: lease, From: from.Instant(), To: from.Add(60).Instant(),
			Used: api.CPUSeconds(units * int64(corehour.CPUHour)),
		}
	}
	report := api.ReportUsage{Records: []api.UsageRecord{hour(0, 6), hour(1, 2)}}
	for _, want := range []string{"accepted", "repeated"} {
		var results api.UsageResults
		w.provider.want(w.t, http.MethodPost, "/v1/usage", report, &results)
		for _, r := range results.Items {
			if r.Status != want {
				w.t.Fatalf("usage %+v, want %s", r, want)
			}
		}
	}
	var closed api.UsageResults
	w.provider.want(w.t, http.MethodPost, "/v1/usage/close", api.CloseUsage{Leases: []corehour.LeaseID{lease}}, &closed)
	if closed.Items[0].Status != "accepted" {
		w.t.Fatalf("closing right after the end: %+v", closed)
	}
}

// invoice waits for the month to end and reads the documents. The first hour is
// 6 x 0.05, the second its take-or-pay half of 10 x 0.05.
func (w *walk) invoice(lease corehour.LeaseID) {
	w.t.Helper()
	want := price("0.3") + price("0.25")
	eventually(w.t, "the lease is settled", func() bool {
		var view exchange.LeaseView
		w.consumer.want(w.t, http.MethodGet, "/v1/leases/"+lease.String(), nil, &view)
		return view.Status == corehour.StatusSettled && view.Charged == corehour.Money(want)
	})
	january, err := billing.ParsePeriod("2024-01")
	if err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, "the month can be invoiced", func() bool {
		err := w.finance.call(w.t.Context(), http.MethodPost, "/v1/invoices", api.IssueDocuments{Period: january}, nil)
		return err == nil
	})
	w.finance.want(w.t, http.MethodPost, "/v1/statements", api.IssueDocuments{Period: january}, nil)
	var invoices api.Page[billing.Invoice]
	w.consumer.want(w.t, http.MethodGet, "/v1/invoices", nil, &invoices)
	if len(invoices.Items) != 1 || invoices.Items[0].Total != corehour.Money(want) || invoices.Items[0].Number != "INV-2024-000001" {
		w.t.Fatalf("invoices %+v", invoices)
	}
	if status, csv := w.consumer.get(w.t, "/v1/invoices/INV-2024-000001?format=csv"); status != 200 || strings.Count(csv, lease.String()) < 2 {
		w.t.Fatalf("%d\n%s", status, csv)
	}
	if status, _ := w.stranger.get(w.t, "/v1/invoices/INV-2024-000001"); status != http.StatusNotFound {
		w.t.Fatalf("a stranger gets %d for the invoice", status)
	}
	var statements api.Page[billing.Statement]
	w.provider.want(w.t, http.MethodGet, "/v1/statements", nil, &statements)
	if len(statements.Items) != 1 || statements.Items[0].Gross != corehour.Money(want) || statements.Items[0].Fee != corehour.Money(want).Share(100) {
		w.t.Fatalf("statements %+v", statements)
	}
	var check api.LedgerCheck
	w.finance.want(w.t, http.MethodGet, "/v1/ledger/check", nil, &check)
	if check.Sum != 0 || len(check.Findings)+len(check.Differences) != 0 {
		w.t.Fatalf("ledger %+v", check)
	}
}

// TestService_KillUnderLoadLosesNoAcknowledgedBid kills the server while clients
// are bidding; what was acknowledged is there once, with the answer it was given.
func TestService_KillUnderLoadLosesNoAcknowledgedBid(t *testing.T) {
	w := newWalk(t, nil)
	w.openMarket()
	const clients = 8
	var mu sync.Mutex
	acknowledged := make(map[string]string)
	var work sync.WaitGroup
	for c := range clients {
		work.Go(func() {
			for i := 0; ; i++ {
				bid := loadBid(t, fmt.Sprintf("load-%d-%d", c, i))
				var placed api.BidPlaced
				if err := w.consumer.call(t.Context(), http.MethodPost, "/v1/bids", bid, &placed); err != nil {
					return // the server is gone
				}
				mu.Lock()
				acknowledged[bid.ClientID] = fmt.Sprint(placed)
				mu.Unlock()
			}
		})
	}
	eventually(t, "a hundred bids are acknowledged", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged) >= 100
	})
	w.server.kill()
	work.Wait()
	w.serve()
	for id, before := range acknowledged {
		bid := loadBid(t, id)
		var again api.BidPlaced
		w.consumer.want(t, http.MethodPost, "/v1/bids", bid, &again)
		if fmt.Sprint(again) != before {
			t.Fatalf("%s: answered %+v, before the kill %s", id, again, before)
		}
	}
	seen := make(map[string]int)
	for after := ""; ; {
		var bids api.Page[exchange.BidView]
		w.consumer.want(t, http.MethodGet, "/v1/bids?limit=500"+after, nil, &bids)
		for _, b := range bids.Items {
			seen[b.ClientID]++
		}
		if bids.Next == "" {
			break
		}
		after = "&after=" + bids.Next
	}
	for id := range acknowledged {
		if seen[id] != 1 {
			t.Fatalf("%s is there %d times", id, seen[id])
		}
	}
	var check api.LedgerCheck
	w.finance.want(t, http.MethodGet, "/v1/ledger/check", nil, &check)
	if check.Sum != 0 || len(check.Findings)+len(check.Differences) != 0 {
		t.Fatalf("ledger %+v", check)
	}
}

func loadBid(t *testing.T, id string) api.PlaceBid {
	return api.PlaceBid{ClientID: id, BidTerms: api.BidTerms{
		Product: "cpu.standard", Units: 1, Duration: 60, Limit: price("0.06"), LatestEnd: minute(t, "2024-02-29T00:00:00Z"),
	}}
}

func TestServe_WrongSettingIsOneLineAndExitCode2(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"database":  {env: []string{"DATABASE_URL=mysql://x"}, args: []string{"serve"}, want: "DATABASE_URL"},
		"redis":     {env: []string{"REDIS_URL=http://x"}, args: []string{"serve"}, want: "REDIS_URL"},
		"nats":      {env: []string{"NATS_URL=::"}, args: []string{"serve"}, want: "NATS_URL"},
		"unknown":   {env: []string{"COREHOUR_LISTNE=127.0.0.1:0"}, args: []string{"serve"}, want: "COREHOUR_LISTEN"},
		"flag":      {args: []string{"serve", "--nonsense"}, want: "nonsense"},
		"fee":       {args: []string{"serve", "--fee-bps", "20000"}, want: "20000"},
		"listen":    {args: []string{"serve", "--listen", "127.0.0.1:99999"}, want: "99999"},
		"command":   {args: []string{"sevre"}, want: "sevre"},
		"argument":  {args: []string{"serve", "now"}, want: "now"},
		"replay":    {args: []string{"replay", "--jobs", "x"}, want: "required"},
		"no curves": {args: []string{"intensity", "--file", "/nonexistent"}, want: "/nonexistent"},
		"no file":   {args: []string{"intensity"}, want: "--file is required"},
		"no data":   {args: []string{"verify", "--data-dir", "/nonexistent"}, want: "/nonexistent"},
		"token key": {args: []string{"token", "--data-dir", "/nonexistent", "--role", "finance", "--account", "a"}, want: "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if args[0] == "serve" {
				args = append(args[:1:1], append([]string{"--data-dir", t.TempDir()}, args[1:]...)...)
			}
			_, stderr, code := corehourCommand(t, c.env, args...)
			if code != 2 || strings.Count(strings.TrimSpace(stderr), "\n") != 0 || !strings.Contains(stderr, c.want) {
				t.Fatalf("exit code %d\n%s", code, stderr)
			}
		})
	}
}

func TestServe_SecondProcessOnADataDirectoryIsRefused(t *testing.T) {
	w := newWalk(t, nil)
	_, stderr, code := corehourCommand(t, nil, "serve", "--data-dir", w.dir, "--listen", "127.0.0.1:0")
	if code == 0 || !strings.Contains(stderr, "in use by another corehour process") {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
}

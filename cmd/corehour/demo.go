package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/config"
	"github.com/corehour/corehour/providers"
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	listen, dataDir string
	speed           int64
	seed            uint64
	stopAfter       time.Duration
}

const (
	demoProduct     corehour.ProductID = "cpu.standard"
	demoUnits       corehour.Units     = 64
	demoFunds                          = 10_000 * corehour.NanoPerUnit
	demoVisitor     corehour.AccountID = "you"
	demoTokenTTL                       = 7 * 24 * time.Hour
	demoMonthEndsIn                    = 18 * time.Hour // of market time, from the start
	demoOffersFor                      = 60 * corehour.MinutesPerDay
)

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a seeded market trade, meter and bill",
		Long: "Demo runs a server on a scratch directory with the real prices and carbon figures of 26 cloud regions,\n" +
			"and simulated providers and consumers that trade through its API. Market time runs faster than yours, so\n" +
			"leases come to their end while you watch and the first month closes with invoices within a minute.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of the API; another free port is taken where this one is in use")
	f.StringVar(&o.dataDir, "data-dir", "", "keep the data in this new directory (default: a temporary one, removed at the end)")
	f.Int64Var(&o.speed, "speed", 1800, "seconds of market time in a second (1 to 3600)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of what the traders want")
	f.DurationVar(&o.stopAfter, "stop-after", 0, "stop by itself after this time; 0 runs until interrupted")
	return cmd
}

func (o *demoOptions) run(ctx context.Context, out io.Writer) (err error) {
	if o.speed < 1 || o.speed > 3600 {
		return usage("--speed %d is not 1 to 3600", o.speed)
	}
	if o.stopAfter > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.stopAfter)
		defer cancel()
	}
	remove, err := o.scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	listener, err := listenNear(o.listen)
	if err != nil {
		return usage("--listen %q: %w", o.listen, err)
	}
	clock := demoClock(time.Now(), o.speed)
	s, err := openService(ctx, serviceConfig{
		Server: config.Server{DataDir: o.dataDir, FeeBps: config.DefaultFeeBps, UsageGrace: config.DefaultUsageGrace},
		Clock:  clock, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := &demo{
		service: s, clock: clock, seed: o.seed, speed: o.speed, out: &lineWriter{out: out},
		base: "http://" + listener.Addr().String(), http: &http.Client{Timeout: 30 * time.Second},
	}
	return d.run(ctx, listener)
}

// scratch makes the data directory and says how to clean up after the demo.
func (o *demoOptions) scratch() (remove func() error, err error) {
	if o.dataDir != "" {
		if entries, err := os.ReadDir(o.dataDir); err == nil && len(entries) > 0 {
			return nil, usage("--data-dir %s is not empty; the demo seeds a market of its own", o.dataDir)
		}
		return func() error { return nil }, nil
	}
	o.dataDir, err = os.MkdirTemp("", "corehour-demo-")
	return func() error { return os.RemoveAll(o.dataDir) }, err
}

// listenNear listens at an address, or at another port of its host if that one
// is in use.
func listenNear(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		return listener, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, err
	}
	if other, otherErr := net.Listen("tcp", net.JoinHostPort(host, "0")); otherErr == nil {
		return other, nil
	}
	return nil, err
}

// demoClock starts shortly before the end of the machine's month, so that the
// first month soon closes.
func demoClock(now time.Time, speed int64) *fastClock {
	now = now.UTC()
	monthEnd := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	return &fastClock{from: monthEnd.Add(-demoMonthEndsIn), began: time.Now(), speed: speed}
}

// lineWriter lets several goroutines write lines.
type lineWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *lineWriter) printf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintf(w.out, format+"\n", args...) // a terminal that is gone stops nothing
}

// demo is a running demonstration.
type demo struct {
	service *service
	clock   *fastClock
	seed    uint64
	speed   int64
	out     *lineWriter
	base    string
	http    *http.Client
	market  []providers.MarketRegion
}

func (d *demo) run(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	var served error
	work.Go(func() {
		defer cancel()
		served = d.service.serve(ctx, listener)
	})
	err := d.trade(ctx, &work)
	if err != nil {
		cancel()
	}
	work.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, served)
}

// trade seeds the market, says how to look at it, and lets everybody trade.
func (d *demo) trade(ctx context.Context, work *sync.WaitGroup) (err error) {
	if d.market, err = providers.Market(); err != nil {
		return err
	}
	if err := d.seedMarket(ctx); err != nil {
		return err
	}
	if err := d.welcome(); err != nil {
		return err
	}
	for _, region := range d.market {
		agent, err := d.newProviderAgent(region)
		if err != nil {
			return err
		}
		work.Go(func() { agent.run(ctx) })
	}
	for i, c := range demoConsumers {
		trader, err := d.newTrader(i, c)
		if err != nil {
			return err
		}
		work.Go(func() { trader.run(ctx) })
	}
	finance, err := d.newFinanceDesk()
	if err != nil {
		return err
	}
	work.Go(func() { finance.run(ctx) })
	return nil
}

func providerOf(region corehour.RegionID) corehour.AccountID {
	return corehour.AccountID("cloud-" + string(region))
}

// seedMarket defines the catalogue, opens and funds the accounts, and places the
// offers: in each region on demand and preemptible capacity.
func (d *demo) seedMarket(ctx context.Context) error {
	commands := []exchange.Command{
		exchange.DefineProduct{Product: corehour.Product{ID: demoProduct, Unit: "1 vCPU with 4 GiB of memory (n2-standard)"}},
		exchange.OpenAccount{Account: demoVisitor, Org: corehour.OrgID(demoVisitor), Name: "You"},
		exchange.Deposit{Account: demoVisitor, Amount: demoFunds, Reference: "demo"},
	}
	to := corehour.InstantOf(d.clock.Now()).CeilMinute().Add(demoOffersFor)
	commands = append(commands, d.zoneCommands()...)
	for _, m := range d.market {
		provider := providerOf(m.Region.ID)
		offer := exchange.PlaceOffer{
			Product: demoProduct, Provider: provider, Region: m.Region.ID, Units: demoUnits, To: to, Price: m.OnDemand,
			Energy: m.Energy, Zone: m.Region.Zone, SLA: corehour.SLAPremium, TakeOrPay: 5000, ClientID: "on-demand",
		}
		preemptible := offer
		preemptible.Price, preemptible.Interruptible, preemptible.SLA = m.Preemptible, true, corehour.SLABasic
		preemptible.TakeOrPay, preemptible.ClientID = 0, "preemptible"
		commands = append(commands, exchange.DefineRegion{Region: m.Region},
			exchange.OpenAccount{Account: provider, Org: corehour.OrgID(provider), Name: "Capacity in " + string(m.Region.ID)},
			offer, preemptible)
	}
	for _, c := range demoConsumers {
		commands = append(commands,
			exchange.OpenAccount{Account: c.account, Org: corehour.OrgID(c.account), Name: c.name},
			exchange.Deposit{Account: c.account, Amount: demoFunds, Reference: "demo"})
	}
	return d.service.do(ctx, commands...)
}

func (d *demo) client(role api.Role, account corehour.AccountID) (*client, error) {
	token, err := d.service.keys.IssueToken(api.Caller{Account: account, Org: corehour.OrgID(account), Role: role}, demoTokenTTL, time.Now())
	return &client{base: d.base, token: token, http: d.http}, err
}

// welcome prints where to look, a token for each role, and lines to paste.
func (d *demo) welcome() error {
	tokens := make(map[api.Role]string)
	for role, account := range map[api.Role]corehour.AccountID{
		api.RoleConsumer: demoVisitor, api.RoleProvider: providerOf("europe-north1"), api.RoleFinance: "finance", api.RoleOperator: "operator",
	} {
		c, err := d.client(role, account)
		if err != nil {
			return err
		}
		tokens[role] = c.token
	}
	m := d.market[0]
	d.out.printf(`
Corehour demo: %d regions, %d providers, %d consumers. One second here is %s on the market; it is %s there.
Figures: %s;
  %s; %s.
  Through the day the carbon of all grids follows one made-up shape around these yearly figures.

API        %s/v1
OpenAPI    %s/openapi.json
Ready      %s/readyz

Tokens (for 7 days; the account of each in brackets)
consumer [%s]  %s
provider [%s]  %s
finance [finance]  %s
operator [operator]  %s
`, len(d.market), len(d.market), len(demoConsumers), time.Duration(d.speed)*time.Second, d.clock.Now().Format("2006-01-02 15:04 UTC"),
		m.Sources.Price, m.Sources.Carbon, m.Sources.Power, d.base, d.base, d.base,
		demoVisitor, tokens[api.RoleConsumer], providerOf("europe-north1"), tokens[api.RoleProvider], tokens[api.RoleFinance], tokens[api.RoleOperator])
	d.out.printf("Try, in another terminal:\n")
	for _, line := range demoCurls(d.base, tokens) {
		d.out.printf("%s\n", line)
	}
	d.out.printf("The market (Ctrl-C ends it):")
	return nil
}

// demoCurls are five lines that work when pasted.
func demoCurls(base string, tokens map[api.Role]string) []string {
	curl := func(role api.Role, path, more string) string {
		return fmt.Sprintf("curl -sS '%s%s' -H 'Authorization: Bearer %s'%s", base, path, tokens[role], more)
	}
	const bid = `{"product":"cpu.standard","units":8,"duration_minutes":240,"limit_price":"0.09","carbon_price":"80","regions":{"deny":["us-central1"]}}`
	return []string{
		curl(api.RoleConsumer, "/v1/offers?region=europe-north1&status=open", ""),
		curl(api.RoleConsumer, "/v1/bids", " -H 'Content-Type: application/json' -d '"+bid+"'"),
		curl(api.RoleConsumer, "/v1/market/cpu.standard/top?carbon_price=80", ""),
		curl(api.RoleProvider, "/v1/deliveries?limit=3", ""),
		curl(api.RoleFinance, "/v1/ledger/check", ""),
	}
}

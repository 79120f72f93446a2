package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/config"
	"github.com/corehour/corehour/internal/swf"
)

// replayOptions are the flags of the replay.
type replayOptions struct {
	jobs, prices, carbon, machine, out, dataDir, start string
	capacity                                           int64
	feeBps                                             int
	progress                                           bool
}

const (
	replayProduct corehour.ProductID = "cpu.standard"
	offersOutlast                    = 30 * corehour.MinutesPerDay

	// replayGrace never passes: simulated time runs ahead of the reports, which
	// close each lease themselves.
	replayGrace = 100 * 366 * 24 * time.Hour
)

func newReplayCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay --jobs TRACE.swf[.gz] --prices PRICES.csv --carbon CARBON.csv --machine TYPE --out DIR",
		Short: "Run a real job log through the whole exchange on simulated time",
		Long: "Replay turns every job of a log in the Standard Workload Format into a bid, every region of a price list\n" +
			"into two offers, and runs them through matching, delivery, metering, billing and invoicing on simulated\n" +
			"time, as fast as it goes. docs/replay.md describes the model and summary.json.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlags(cmd, "jobs", "prices", "carbon", "out"); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.jobs, "jobs", "", "job log in the Standard Workload Format, plain or gzip")
	f.StringVar(&o.prices, "prices", "", "price list: region, machine_type, vcpus, memory_gib, usd_per_hour_ondemand, usd_per_hour_preemptible")
	f.StringVar(&o.carbon, "carbon", "", "grid carbon intensity by region in gCO2e/kWh")
	f.StringVar(&o.machine, "machine", "n2-standard-8", "machine type of the price list; its price is divided by its vCPUs")
	f.Int64Var(&o.capacity, "capacity", 64, "units of each of the two offers of a region (1 to 1000000)")
	f.StringVar(&o.out, "out", "", "directory for summary.json, invoices, statements and ledger")
	f.StringVar(&o.dataDir, "data-dir", "", "empty directory for the exchange's data (default OUT/data)")
	f.StringVar(&o.start, "start", "2024-01-01T00:00:00Z", "when the first job arrives, RFC 3339")
	f.IntVar(&o.feeBps, "fee-bps", config.DefaultFeeBps, "the exchange's fee in basis points")
	f.BoolVar(&o.progress, "progress", false, "show progress also where standard error is not a terminal")
	return cmd
}

func (o *replayOptions) validate() (start corehour.Instant, err error) {
	at, err := time.Parse(time.RFC3339, o.start)
	switch {
	case err != nil || at.Year() < 1970 || at.Year() > 9000:
		return 0, usage("--start %q is not a time like 2024-01-01T00:00:00Z", o.start)
	case o.capacity < 1 || o.capacity > int64(corehour.MaxUnits):
		return 0, usage("--capacity %d is not 1 to %d", o.capacity, corehour.MaxUnits)
	case o.feeBps < 0 || o.feeBps > int(corehour.WholeShare):
		return 0, usage("--fee-bps %d is not 0 to 10000", o.feeBps)
	}
	if o.dataDir == "" {
		o.dataDir = filepath.Join(o.out, "data")
	}
	if entries, err := os.ReadDir(o.dataDir); err == nil && len(entries) > 0 {
		return 0, usage("--data-dir %s is not empty; a replay starts from nothing", o.dataDir)
	}
	return corehour.InstantOf(at), os.MkdirAll(o.out, 0o700)
}

func (o *replayOptions) run(ctx context.Context) error {
	began := time.Now()
	start, err := o.validate()
	if err != nil {
		return err
	}
	trace, err := swf.Read(o.jobs)
	if err != nil {
		return err
	}
	market, err := readMarket(o.prices, o.carbon, o.machine)
	if err != nil {
		return err
	}
	r := &replay{options: o, trace: trace, market: market, start: start, clock: &manualClock{}}
	r.clock.advance(start)
	if r.service, err = openService(ctx, r.serviceConfig()); err != nil {
		return err
	}
	sum, err := r.run(ctx, began)
	if err = errors.Join(err, r.service.close()); err != nil {
		return err
	}
	fmt.Printf("%d jobs in %s s: %d bids, %d leases, %s billed on %d invoices; see %s\n", sum.JobsRead, sum.WallSeconds,
		sum.Bids, sum.Leases, sum.AmountBilled, sum.Invoices, filepath.Join(o.out, "summary.json"))
	return sum.write(o.out)
}

// replay is one run.
type replay struct {
	options *replayOptions
	trace   *swf.Trace
	market  replayMarket
	start   corehour.Instant
	clock   *manualClock
	service *service
}

func (r *replay) serviceConfig() serviceConfig {
	level := slog.LevelWarn
	return serviceConfig{
		Server: config.Server{DataDir: r.options.dataDir, FeeBps: r.options.feeBps, UsageGrace: replayGrace},
		Clock:  r.clock, ManualTime: true,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
}

func (r *replay) run(ctx context.Context, began time.Time) (summary, error) {
	if err := r.openMarket(ctx); err != nil {
		return summary{}, err
	}
	bar := r.progressBar()
	reporter := newUsageReporter(r.service)
	d := &driver{
		s: r.service, clock: r.clock, usage: reporter, trace: r.trace, start: r.start, market: r.market,
		jobs: make(map[corehour.BidID]int), rejected: make(map[string]int64),
		arrived: func(n int) { _ = bar.Set(n) }, // a bar that cannot be drawn stops nothing
	}
	go reporter.run(ctx) // finish waits for it
	err := d.play(ctx)
	if err = errors.Join(err, reporter.finish()); err != nil {
		return summary{}, err
	}
	_ = bar.Finish()
	if err := r.settle(ctx); err != nil {
		return summary{}, err
	}
	if err := r.invoice(ctx); err != nil {
		return summary{}, err
	}
	sum, err := r.service.summarise(ctx, began)
	sum.JobsRead, sum.JobsRejected = r.trace.Read, d.rejected
	for reason, n := range r.trace.Rejected {
		sum.JobsRejected[reason] += n
	}
	return sum, err
}

// openMarket defines the regions, opens the accounts with enough funds for
// everything they will bid, and places the offers.
func (r *replay) openMarket(ctx context.Context) error {
	commands := []exchange.Command{exchange.DefineProduct{Product: corehour.Product{
		ID: replayProduct, Unit: "one vCPU of " + r.options.machine,
	}}}
	from, to := r.start.CeilMinute(), r.lastArrival().CeilMinute().Add(offersOutlast)
	for _, region := range r.market.regions {
		provider := corehour.AccountID("provider-" + region.Region.ID)
		offer := exchange.PlaceOffer{
			Product: replayProduct, Provider: provider, Region: region.Region.ID, Units: corehour.Units(r.options.capacity),
			From: from, To: to, Price: region.OnDemand, Carbon: region.Carbon, SLA: corehour.SLAStandard, ClientID: "on-demand",
		}
		preemptible := offer
		preemptible.Price, preemptible.Interruptible, preemptible.SLA = region.Preemptible, true, corehour.SLABasic
		preemptible.ClientID = "preemptible"
		commands = append(commands, exchange.DefineRegion{Region: region.Region},
			exchange.OpenAccount{Account: provider, Org: corehour.OrgID(provider), Name: "Capacity in " + string(region.Region.ID)},
			offer, preemptible)
	}
	deposits, err := r.deposits()
	if err != nil {
		return err
	}
	return r.service.do(ctx, append(commands, deposits...)...)
}

func (r *replay) lastArrival() corehour.Instant {
	if len(r.trace.Jobs) == 0 {
		return r.start
	}
	return r.trace.Arrival(r.trace.Jobs[len(r.trace.Jobs)-1], r.start)
}

// deposits give each consumer what all its bids together may cost, so that no
// bid is refused for want of funds, whenever earlier ones are settled.
func (r *replay) deposits() ([]exchange.Command, error) {
	need := make(map[corehour.AccountID]corehour.Money)
	var order []corehour.AccountID
	for _, job := range r.trace.Jobs {
		limit := swf.LimitPrice(job.User, r.market.lowest, r.market.highest)
		cost, ok := corehour.CostWithin(limit, job.Units, job.Duration(), corehour.MaxMoney)
		if !ok {
			continue // the exchange rejects this bid for its size
		}
		consumer := job.Consumer()
		if _, known := need[consumer]; !known {
			order = append(order, consumer)
		}
		if need[consumer] += cost; need[consumer] > corehour.MaxMoney {
			return nil, usage("the jobs of %s may cost more than the billion that one deposit holds; take a shorter log", consumer)
		}
	}
	var commands []exchange.Command
	for _, consumer := range order {
		commands = append(commands,
			exchange.OpenAccount{Account: consumer, Org: corehour.OrgID(consumer), Name: "User of the log"},
			exchange.Deposit{Account: consumer, Amount: max(need[consumer], 1), Reference: "replay"})
	}
	return commands, nil
}

// settle lets time pass until every bid has closed, then waits until every lease
// is settled.
func (r *replay) settle(ctx context.Context) error {
	r.clock.advance((r.lastArrival().CeilMinute().Add(offersOutlast + 2*corehour.MaxDuration)).Instant())
	if err := r.service.metered(ctx); err != nil {
		return err
	}
	for {
		last, err := r.service.bus.LastSequence(ctx, corehour.ProducerMetering)
		if err != nil {
			return err
		}
		if err := r.service.bus.WaitFor(ctx, billing.ConsumerName, corehour.ProducerMetering, last); err != nil {
			return err
		}
		if err := r.service.billed(ctx); err != nil {
			return err
		}
		idle, err := r.service.billing.Idle(ctx)
		if err != nil {
			return err
		}
		totals, err := r.service.exchange.Totals(ctx)
		if err != nil {
			return err
		}
		if idle && totals.LeasesUnsettled == 0 {
			return r.service.billed(ctx)
		}
		select {
		case <-time.After(settlePoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const settlePoll = 10 * time.Millisecond

// invoice issues the documents of every month and writes all exports. Nobody else
// is at work any more, so the ledger is written beside.
func (r *replay) invoice(ctx context.Context) error {
	var statements, ledger error
	var work sync.WaitGroup
	work.Go(func() {
		statements = r.eachMonth(func(p billing.Period) error {
			_, err := r.service.billing.IssueStatements(ctx, p)
			return err
		})
	})
	work.Go(func() { ledger = r.service.billing.ExportLedger(ctx, r.options.out) })
	err := r.eachMonth(func(p billing.Period) error {
		_, err := r.service.billing.IssueInvoices(ctx, p)
		return err
	})
	work.Wait()
	if err = errors.Join(err, statements, ledger); err != nil {
		return err
	}
	return r.service.billing.ExportDocuments(ctx, r.options.out)
}

// eachMonth goes through the months that are over.
func (r *replay) eachMonth(issue func(billing.Period) error) error {
	now := r.clock.instant().FloorMinute()
	for period := billing.PeriodOf(r.start.FloorMinute()); period.End() <= now; period = period.Next() {
		if err := issue(period); err != nil {
			return err
		}
	}
	return nil
}

// progressBar shows jobs, rate and time left on a terminal.
func (r *replay) progressBar() *progressbar.ProgressBar {
	shown := r.options.progress || term.IsTerminal(int(os.Stderr.Fd()))
	return progressbar.NewOptions(len(r.trace.Jobs), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription("replay"), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("jobs"), progressbar.OptionSetPredictTime(true), progressbar.OptionSetVisibility(shown),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(os.Stderr) }))
}

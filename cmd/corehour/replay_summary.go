package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// summary is summary.json: counts and seconds are numbers, money and hours are
// decimal strings, because a JSON number is a float to most who read it.
type summary struct {
	JobsRead              int64            `json:"jobs_read"`
	JobsRejected          map[string]int64 `json:"jobs_rejected"`
	Bids                  int64            `json:"bids"`
	BidsFilled            int64            `json:"bids_filled"`
	BidsPartiallyFilled   int64            `json:"bids_partially_filled"`
	BidsUnfilled          int64            `json:"bids_unfilled"`
	Leases                int64            `json:"leases"`
	CPUHoursRequested     string           `json:"cpu_hours_requested"`
	CPUHoursLeased        string           `json:"cpu_hours_leased"`
	CPUHoursUsed          string           `json:"cpu_hours_used"`
	CPUHoursBilled        string           `json:"cpu_hours_billed"`
	AmountBilled          corehour.Money   `json:"amount_billed"`
	AmountFees            corehour.Money   `json:"amount_fees"`
	AmountPaidToProviders corehour.Money   `json:"amount_paid_to_providers"`
	Invoices              int64            `json:"invoices"`
	InvoiceTotal          corehour.Money   `json:"invoice_total"`
	LedgerSum             corehour.Money   `json:"ledger_sum"`
	CO2eKilograms         json.Number      `json:"co2e_kg"`
	WallSeconds           json.Number      `json:"wall_seconds"`
	StateHash             string           `json:"state_hash"`
}

// summarise adds up what stands in SQL.
func (s *service) summarise(ctx context.Context, began time.Time) (sum summary, err error) {
	var market exchange.Totals
	if market, err = s.exchange.Totals(ctx); err != nil {
		return sum, err
	}
	_, used, err := s.metering.Totals(ctx)
	if err != nil {
		return sum, err
	}
	billed, err := s.billing.Totals(ctx)
	if err != nil {
		return sum, err
	}
	if sum.LedgerSum, err = s.billing.Sum(ctx); err != nil {
		return sum, err
	}
	hash, _ := s.exchange.StateHash()
	sum.Bids, sum.BidsFilled = market.Bids, market.BidsFilled
	sum.BidsPartiallyFilled, sum.BidsUnfilled = market.BidsPartiallyFilled, market.BidsUnfilled
	sum.Leases = market.Leases
	sum.CPUHoursRequested, sum.CPUHoursLeased = market.Requested.Hours(), market.Leased.Hours()
	sum.CPUHoursUsed, sum.CPUHoursBilled = used.Hours(), billed.BilledCPU.Hours()
	sum.AmountBilled, sum.AmountFees, sum.AmountPaidToProviders = billed.Billed, billed.Fees, billed.PaidToProviders
	sum.Invoices, sum.InvoiceTotal = int64(billed.Invoices), billed.InvoiceTotal
	sum.CO2eKilograms = json.Number(billed.CO2e.Kilograms())
	sum.WallSeconds = json.Number(fmt.Sprintf("%.3f", time.Since(began).Seconds()))
	sum.StateHash = hash.String()
	return sum, nil
}

func (sum *summary) write(dir string) error {
	text, err := json.MarshalIndent(sum, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "summary.json"), append(text, '\n'), 0o600)
}

package billing

import (
	"context"
	"fmt"

	"github.com/corehour/corehour"
)

// Totals sum up everything that billing has seen.
type Totals struct {
	// UsedCPU is all accepted use. BilledCPU is the part that posted usage charges
	// stand for: less only where the rest of an hour is too short to cost anything,
	// or is not posted yet.
	UsedCPU   corehour.CPUTime
	BilledCPU corehour.CPUTime
	// Billed are all posted charges, take-or-pay included; Fees is the exchange's
	// share of them and PaidToProviders the rest.
	Billed          corehour.Money
	Fees            corehour.Money
	PaidToProviders corehour.Money
	Invoices        int
	InvoiceTotal    corehour.Money
	Statements      int
	// CO2e is the sum over the leases of their carbon rate x their use, each
	// rounded down to the milligram.
	CO2e corehour.CarbonMass
}

// Totals sums up everything that billing has seen. It reads every lease and
// charge once.
func (s *Service) Totals(ctx context.Context) (Totals, error) {
	var t Totals
	err := s.snapshot(ctx, func(ctx context.Context, q querier) error {
		for _, sum := range []func(context.Context, querier, *Totals) error{sumCharges, sumDocuments, sumLeases} {
			if err := sum(ctx, q, &t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Totals{}, corehour.Internal("billing.Totals", err)
	}
	return t, nil
}

func sumCharges(ctx context.Context, q querier, t *Totals) error {
	var whole, nano, feeWhole, feeNano int64
	err := q.QueryRowContext(ctx,
		`SELECT CAST(COALESCE(SUM(cpu_us), 0) AS BIGINT), `+sumOf("amount")+`, `+sumOf("fee")+`
		 FROM billing_charges WHERE state = 'posted'`).Scan(&t.BilledCPU, &whole, &nano, &feeWhole, &feeNano)
	if err != nil {
		return err
	}
	if t.Billed, err = moneyOf("the sum of all charges", whole, nano); err != nil {
		return err
	}
	if t.Fees, err = moneyOf("the sum of all fees", feeWhole, feeNano); err != nil {
		return err
	}
	t.PaidToProviders = t.Billed - t.Fees
	return nil
}

func sumDocuments(ctx context.Context, q querier, t *Totals) error {
	var whole, nano int64
	err := q.QueryRowContext(ctx, `SELECT COUNT(*), `+sumOf("total")+` FROM invoices`).Scan(&t.Invoices, &whole, &nano)
	if err != nil {
		return err
	}
	if t.InvoiceTotal, err = moneyOf("the sum of all invoices", whole, nano); err != nil {
		return err
	}
	return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM statements`).Scan(&t.Statements)
}

func sumLeases(ctx context.Context, q querier, t *Totals) error {
	rows, err := q.QueryContext(ctx,
		`SELECT l.carbon, p.used_us FROM billing_leases l
		 JOIN billing_progress p ON p.lease_id = l.lease_id WHERE p.used_us > 0`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var carbon corehour.CarbonRate
		var used corehour.CPUTime
		if err := rows.Scan(&carbon, &used); err != nil {
			return fmt.Errorf("sum leases: %w", err)
		}
		t.UsedCPU += used
		t.CO2e += corehour.Emitted(carbon, used)
	}
	return rows.Err()
}

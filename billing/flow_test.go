package billing

import (
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

const minuteCPU corehour.CPUTime = 60_000_000

// twoLeases is a world with a plain lease that used 3 hours and a take-or-pay
// lease that used nothing, both settled.
func twoLeases(t testing.TB, db *database.DB) *world {
	w := newWorld(t, db)
	w.open("acme", "=ACME, \"Ltd\"", 1_000*corehour.NanoPerUnit)
	w.open("norge", "Norge Compute", 0)
	plain := w.match(standardLease("acme", "norge"))
	w.use(plain, 0, 2*corehour.CPUHour)
	w.use(plain, 1, corehour.CPUHour/2)
	w.use(plain, 1, corehour.CPUHour/2+7)
	w.end(plain, corehour.StatusCompleted, january.Add(750).Instant())
	w.closeUsage(plain)

	agreed := standardLease("acme", "norge")
	agreed.TakeOrPay = 8_000
	idle := w.match(agreed)
	w.end(idle, corehour.StatusCompleted, january.Add(750).Instant())
	w.closeUsage(idle)
	w.run()
	return w
}

func TestFlow_LeaseToSettlementToInvoice(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := twoLeases(t, db)
		w.checkBooks()
		if idle, err := w.service.Idle(w.ctx); err != nil || !idle {
			t.Fatalf("not idle: %v %v", idle, err)
		}
		for id, l := range w.leases {
			if !l.settled {
				t.Errorf("%s is not settled", id)
			}
		}
		// 2 CPU-hours at 0.0337, then 1 CPU-hour and 7 microseconds, which cost nothing.
		wantCharges(t, w.leases[1].charges, []Charge{
			{1, 1, corehour.ChargeUsage, january.Add(600), 67_400_000},
			{1, 2, corehour.ChargeUsage, january.Add(660), 16_850_000},
			{1, 3, corehour.ChargeUsage, january.Add(660), 16_850_000},
		})
		// 80% of 2 units for 60, 60 and 30 minutes.
		wantCharges(t, w.leases[2].charges, []Charge{
			{2, 1, corehour.ChargeTakeOrPay, january.Add(600), 53_920_000},
			{2, 2, corehour.ChargeTakeOrPay, january.Add(660), 53_920_000},
			{2, 3, corehour.ChargeTakeOrPay, january.Add(720), 26_960_000},
		})
		w.clock.set(january.Add(31 * corehour.MinutesPerDay))
		invoices, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		if len(invoices) != 1 || invoices[0].Number != "INV-2024-000001" || invoices[0].Total != 235_900_000 {
			t.Fatalf("invoices: %+v", invoices)
		}
		statements, err := w.service.IssueStatements(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		fee := corehour.Money(101_100_000).Share(250) + corehour.Money(134_800_000).Share(250)
		if len(statements) != 1 || statements[0].Fee != fee || statements[0].Net != 235_900_000-fee {
			t.Fatalf("statements: %+v, want a fee of %s", statements, fee)
		}
		wantTotals(t, w, Totals{
			UsedCPU: 3*corehour.CPUHour + 7, BilledCPU: 3*corehour.CPUHour + 7,
			Billed: 235_900_000, Fees: fee, PaidToProviders: 235_900_000 - fee,
			Invoices: 1, InvoiceTotal: 235_900_000, Statements: 1, CO2e: 171_900,
		})
	})
}

func wantCharges(t *testing.T, have, want []Charge) {
	t.Helper()
	if len(have) != len(want) {
		t.Fatalf("have %d charges, want %d: %+v", len(have), len(want), have)
	}
	for i := range want {
		if have[i] != want[i] {
			t.Errorf("charge %d is %+v, want %+v", i+1, have[i], want[i])
		}
	}
}

func wantTotals(t *testing.T, w *world, want Totals) {
	t.Helper()
	have, err := w.service.Totals(w.ctx)
	w.must(err)
	if have != want {
		t.Errorf("totals\n%+v, want\n%+v", have, want)
	}
}

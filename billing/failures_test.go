package billing

import (
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// A lease that fails or is interrupted on its way is billed for what it was used,
// and owes no minimum.
func TestService_FailedAndInterruptedLeasesAreBilledForTheirUse(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.open("acme", "Acme", 1_000*corehour.NanoPerUnit)
		w.open("norge", "Norge", 0)
		for _, status := range []corehour.LeaseStatus{corehour.StatusFailed, corehour.StatusInterrupted} {
			terms := standardLease("acme", "norge")
			terms.TakeOrPay = corehour.WholeShare
			id := w.match(terms)
			w.use(id, 0, corehour.CPUHour/2)
			w.end(id, status, terms.Start.Add(45).Instant())
			w.closeUsage(id)
			w.run()
			if l := w.leases[id]; !l.settled || len(l.charges) != 1 || l.charged != corehour.UsageCost(terms.Price, corehour.CPUHour/2) {
				t.Errorf("%s: charged %s in %d charges, settled %v", status, l.charged, len(l.charges), l.settled)
			}
		}
		w.checkBooks()
	})
}

func TestService_DisputedLeaseIsSettledWhenItIsResolved(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := closedLeases(t, db, 2)
		const id corehour.LeaseID = 1
		w.publish(&w.exchange, corehour.EventLeaseDisputed, id.String(), corehour.LeaseDisputed{Lease: id, Consumer: "acme", Provider: "norge"})
		w.run()
		if !w.leases[2].settled || w.leases[id].settled || len(w.leases[id].charges) != 2 {
			t.Fatalf("the disputed lease is settled: %v, the other: %v", w.leases[id].settled, w.leases[2].settled)
		}
		w.publish(&w.exchange, corehour.EventDisputeResolved, id.String(), corehour.DisputeResolved{
			Lease: id, Consumer: "acme", Provider: "norge", Status: corehour.StatusCompleted,
		})
		w.run()
		if !w.leases[id].settled {
			t.Error("the lease is not settled though its dispute is resolved")
		}
		w.checkBooks()
	})
}

// The exchange cuts a charge by what a failed lease does not hold any more. What
// is left of it is what the invoice says; a charge of which nothing is left is on
// no invoice.
func TestService_ChargesAreWhatTheExchangeMoved(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := closedLeases(t, db, 1)
		l := w.leases[1]
		whole := corehour.UsageCost(l.Price, corehour.CPUHour)
		for i, amount := range []corehour.Money{whole - 5, 0} {
			w.funds["acme"].Held -= amount
			w.funds["norge"].Available += amount
			w.publish(&w.exchange, corehour.EventChargePosted, "lease-1", corehour.ChargePosted{
				Lease: 1, Consumer: "acme", Provider: "norge", Number: int64(i + 1), Kind: corehour.ChargeUsage,
				Hour: l.Start.Add(corehour.Minutes(i) * 60), Amount: amount, Cut: 5,
			})
		}
		w.deliverAll()
		var rows, sum int64
		err := db.Reader().QueryRowContext(w.ctx, `SELECT COUNT(*), CAST(SUM(amount) AS BIGINT) FROM billing_charges WHERE state = 'posted'`).Scan(&rows, &sum)
		if err != nil || rows != 1 || sum != int64(whole-5) {
			t.Errorf("%d charges of %d, %v; want one of %d", rows, sum, err, whole-5)
		}
		if b, err := w.service.Backlog(w.ctx); err != nil || b.PendingCharges != 0 {
			t.Errorf("backlog %+v, %v", b, err)
		}
	})
}

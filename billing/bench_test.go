package billing

import (
	"fmt"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/testenv"
)

// marketOf is a world with so many closed leases, spread over consumers; nothing
// is delivered yet.
func marketOf(t testing.TB, leases, consumers int) *world {
	w := newWorld(t, testenv.SQLite(t))
	w.open("norge", "Norge", 0)
	for i := range consumers {
		w.open(consumer(i), "Consumer", 1_000_000*corehour.NanoPerUnit)
	}
	for i := range leases {
		id := w.match(standardLease(consumer(i%consumers), "norge"))
		w.use(id, 0, corehour.CPUHour)
		w.use(id, 1, corehour.CPUHour/3)
		w.end(id, corehour.StatusCompleted, january.Add(750).Instant())
		w.closeUsage(id)
	}
	return w
}

func consumer(i int) corehour.AccountID { return corehour.AccountID(fmt.Sprintf("user-%03d", i)) }

// BenchmarkTake is the way of 5,000 leases through rating, posting and settling,
// with full batches, on SQLite.
func BenchmarkTake(b *testing.B) {
	for range b.N {
		b.StopTimer()
		w := marketOf(b, 5_000, 100)
		b.StartTimer()
		w.run()
		b.ReportMetric(float64(len(w.exchange.events)+len(w.metering.events))/b.Elapsed().Seconds()*float64(b.N), "events/s")
	}
}

// BenchmarkIssue issues and exports the documents of 20,000 leases of 100
// consumers and one provider.
func BenchmarkIssue(b *testing.B) {
	for range b.N {
		b.StopTimer()
		w := marketOf(b, 20_000, 100)
		w.run()
		w.clock.set(mustPeriod("2024-01").End())
		b.StartTimer()
		lap := time.Now()
		step := func(name string) {
			b.ReportMetric(float64(time.Since(lap).Milliseconds()), name+"-ms")
			lap = time.Now()
		}
		invoices, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		step("invoices")
		_, err = w.service.IssueStatements(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		step("statements")
		_, err = w.service.VerifyInvoices(w.ctx)
		w.must(err)
		step("verify")
		w.must(w.service.Export(w.ctx, b.TempDir()))
		step("export")
		_, err = w.service.Totals(w.ctx)
		w.must(err)
		step("totals")
		if len(invoices) != 100 {
			b.Fatalf("%d invoices", len(invoices))
		}
	}
}

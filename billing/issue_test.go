package billing

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// settledFor is a world in which each consumer has one settled lease in January.
func settledFor(t testing.TB, db *database.DB, consumers ...corehour.AccountID) *world {
	w := newWorld(t, db)
	w.open("norge", "Norge", 0)
	for _, c := range consumers {
		w.open(c, "Name of "+string(c), 1_000*corehour.NanoPerUnit)
		id := w.match(standardLease(c, "norge"))
		w.use(id, 0, corehour.CPUHour)
		w.end(id, corehour.StatusCompleted, january.Add(750).Instant())
		w.closeUsage(id)
	}
	w.run()
	w.clock.set(mustPeriod("2024-01").End())
	return w
}

func numbersOf(invoices []Invoice) []string {
	numbers := make([]string, len(invoices))
	for i, inv := range invoices {
		numbers[i] = inv.Number
	}
	return numbers
}

func TestIssue_OneInvoicePerConsumerInTheOrderOfAccounts(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := settledFor(t, db, "zeta", "Alpha", "beta", "a-b", "ab")
		invoices, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		var have []string
		for _, inv := range invoices {
			have = append(have, inv.Number+" "+string(inv.Consumer))
		}
		want := []string{
			"INV-2024-000001 Alpha", "INV-2024-000002 a-b", "INV-2024-000003 ab", "INV-2024-000004 beta", "INV-2024-000005 zeta",
		}
		if !slices.Equal(have, want) {
			t.Errorf("invoices %v, want %v", have, want)
		}
		if w.issued != 5 {
			t.Errorf("Committed was called %d times, want 5", w.issued)
		}
		events := w.billingEvents()
		if len(events) != 5 {
			t.Fatalf("%d events, want 5", len(events))
		}
		for i, e := range events {
			data := decodeAs[InvoiceIssued](w, e)
			inv := invoices[i]
			if e.Type != EventInvoiceIssued || e.Subject != inv.Number || e.Sequence != int64(i)+1 || e.Time != inv.IssuedAt ||
				data != (InvoiceIssued{inv.Number, inv.Period, inv.Consumer, "USD", 1, inv.Total, inv.Hash}) {
				t.Errorf("event %d is %+v %+v", i, e, data)
			}
		}
	})
}

func TestIssue_OnlyAfterThePeriod(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := settledFor(t, db, "acme")
		w.clock.set(mustPeriod("2024-01").End() - 1)
		for _, p := range []Period{mustPeriod("2024-01"), mustPeriod("2024-02"), {}} {
			_, err := w.service.IssueInvoices(w.ctx, p)
			if corehour.KindOf(err) != corehour.KindRejected || corehour.CodeOf(err) != CodePeriodNotOver {
				t.Errorf("%s: %v", p, err)
			}
			if _, err = w.service.IssueStatements(w.ctx, p); corehour.CodeOf(err) != CodePeriodNotOver {
				t.Errorf("%s: %v", p, err)
			}
		}
		if n := w.number(`SELECT COUNT(*) FROM invoices`); n != 0 {
			t.Errorf("%d invoices exist", n)
		}
		w.clock.set(mustPeriod("2024-01").End())
		if invoices, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01")); err != nil || len(invoices) != 1 {
			t.Errorf("at the end of the period: %v %v", invoices, err)
		}
	})
}

func TestIssue_AgainIssuesOnlyWhatIsNewAndNamesItsMonth(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.open("acme", "Acme", 1_000*corehour.NanoPerUnit)
		w.open("norge", "Norge", 0)
		l := standardLease("acme", "norge")
		l.Start, l.End = mustPeriod("2024-01").End()-90, mustPeriod("2024-01").End()+90 // hours begin at 22:30, 23:30 and 00:30
		id := w.match(l)
		w.use(id, 0, corehour.CPUHour)
		w.use(id, 2, corehour.CPUHour)
		w.run()
		w.clock.set(mustPeriod("2024-02").End())
		first, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		again, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		if len(first) != 1 || len(again) != 0 {
			t.Fatalf("first %v, again %v", numbersOf(first), numbersOf(again))
		}
		w.use(id, 1, corehour.CPUHour) // late: its hour begins in January
		w.run()
		second, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-02"))
		w.must(err)
		if len(second) != 1 {
			t.Fatalf("second %v", numbersOf(second))
		}
		inv, err := w.service.Invoice(w.ctx, second[0].Number)
		w.must(err)
		if inv.Number != "INV-2024-000002" || len(inv.Lines) != 2 || inv.Lines[0].Month.String() != "2024-01" || inv.Lines[1].Month.String() != "2024-02" {
			t.Errorf("the second invoice: %+v", inv)
		}
		if inv.Total != 67_400_000 || first[0].Total != 33_700_000 {
			t.Errorf("totals %s and %s", first[0].Total, inv.Total)
		}
	})
}

func TestIssue_NoGapAndNoDoubleUnderConcurrentIssuing(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		var consumers []corehour.AccountID
		for i := range 30 {
			consumers = append(consumers, corehour.AccountID(fmt.Sprintf("c%02d", i)))
		}
		w := settledFor(t, db, consumers...)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var numbers []string
		for range 4 {
			s, err := New(Config{DB: db, Clock: w.clock, Exchange: w})
			w.must(err)
			wg.Go(func() {
				invoices, err := s.IssueInvoices(w.ctx, mustPeriod("2024-01"))
				mu.Lock()
				defer mu.Unlock()
				numbers = append(numbers, numbersOf(invoices)...)
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		slices.Sort(numbers)
		if len(numbers) != 30 || numbers[0] != "INV-2024-000001" || numbers[29] != "INV-2024-000030" || len(slices.Compact(numbers)) != 30 {
			t.Errorf("numbers %v", numbers)
		}
		if findings, err := w.service.VerifyInvoices(w.ctx); err != nil || len(findings) > 0 {
			t.Errorf("findings %v %v", findings, err)
		}
	})
}

func TestIssue_AFailedTransactionGivesItsNumberBack(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := settledFor(t, db, "alpha", "beta", "gamma")
		w.exec(`DELETE FROM billing_accounts WHERE account = 'beta'`)
		invoices, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		if err == nil || corehour.KindOf(err) != corehour.KindInternal {
			t.Fatalf("an account that was never opened: %v", err)
		}
		if !slices.Equal(numbersOf(invoices), []string{"INV-2024-000001"}) {
			t.Fatalf("before the failure: %v", numbersOf(invoices))
		}
		w.exec(`INSERT INTO billing_accounts (account, org, name) VALUES ('beta', 'org-beta', 'Beta')`)
		invoices, err = w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		if !slices.Equal(numbersOf(invoices), []string{"INV-2024-000002", "INV-2024-000003"}) {
			t.Errorf("after the failure: %v", numbersOf(invoices))
		}
		if n := w.number(`SELECT COUNT(*) FROM outbox WHERE producer = 'billing'`); n != 3 {
			t.Errorf("%d events, want 3", n)
		}
	})
}

func TestIssue_WhoHasTooManyLeasesGetsSeveralInvoices(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := closedLeases(t, db, 5)
		w.run()
		w.clock.set(mustPeriod("2024-01").End())
		w.service.documentLeases = 2
		invoices, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		var lines []int64
		var sum corehour.Money
		for _, inv := range invoices {
			lines = append(lines, inv.LineCount)
			sum += inv.Total
		}
		if !slices.Equal(lines, []int64{2, 2, 1}) || sum != 5*50_550_000 {
			t.Errorf("invoices of %v lines, together %s", lines, sum)
		}
		if findings, err := w.service.VerifyInvoices(w.ctx); err != nil || len(findings) > 0 {
			t.Errorf("findings %v %v", findings, err)
		}
	})
}

func TestIssue_AnExhaustedSeriesIsAClearError(t *testing.T) {
	w := settledFor(t, testenv.SQLite(t), "acme")
	w.exec(`INSERT INTO billing_series (name, last) VALUES ('INV-2024', $1)`, MaxSeriesNumber)
	_, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
	if corehour.CodeOf(err) != CodeSeriesExhausted {
		t.Errorf("past the last number: %v", err)
	}
	if n := w.number(`SELECT last FROM billing_series WHERE name = 'INV-2024'`); n != MaxSeriesNumber {
		t.Errorf("the counter stands at %d", n)
	}
}

func TestVerify_ChangesOfFinalDocumentsAreFound(t *testing.T) {
	for name, c := range map[string]struct{ change, subject string }{
		"a line's amount":     {`UPDATE invoice_lines SET amount = amount + 1 WHERE invoice = 'INV-2024-000002'`, "INV-2024-000002"},
		"a line's units":      {`UPDATE invoice_lines SET units = 9 WHERE invoice = 'INV-2024-000002'`, "INV-2024-000002"},
		"a lost line":         {`DELETE FROM invoice_lines WHERE invoice = 'INV-2024-000002'`, "INV-2024-000002"},
		"the total":           {`UPDATE invoices SET total = total - 1 WHERE number = 'INV-2024-000002'`, "INV-2024-000002"},
		"the name":            {`UPDATE invoices SET name = 'Other' WHERE number = 'INV-2024-000002'`, "INV-2024-000002"},
		"the hash":            {`UPDATE invoices SET hash = 'x' WHERE number = 'INV-2024-000002'`, "INV-2024-000002"},
		"a lost invoice":      {`DELETE FROM invoices WHERE number = 'INV-2024-000002'`, "INV-2024-000002"},
		"the last invoice":    {`DELETE FROM invoices WHERE number = 'INV-2024-000003'`, "INV-2024-000003"},
		"a charge's amount":   {`UPDATE billing_charges SET amount = amount + 1 WHERE lease_id = 2`, "INV-2024-000002"},
		"a charge taken away": {`UPDATE billing_charges SET invoice = '' WHERE lease_id = 2`, "INV-2024-000002"},
		"an invented number":  {`UPDATE invoices SET number = 'INV-2024-000009' WHERE number = 'INV-2024-000003'`, "INV-2024-000009"},
	} {
		t.Run(name, func(t *testing.T) {
			w := settledFor(t, testenv.SQLite(t), "alpha", "beta", "gamma")
			_, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
			w.must(err)
			if findings, err := w.service.VerifyInvoices(w.ctx); err != nil || len(findings) > 0 {
				t.Fatalf("before the change: %v %v", findings, err)
			}
			w.exec(c.change)
			findings, err := w.service.VerifyInvoices(w.ctx)
			w.must(err)
			if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Subject == c.subject }) {
				t.Errorf("findings %v do not name %s", findings, c.subject)
			}
		})
	}
	t.Run("a statement's net", func(t *testing.T) {
		w := settledFor(t, testenv.SQLite(t), "alpha")
		_, err := w.service.IssueStatements(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		w.exec(`UPDATE statement_lines SET net = net + 1`)
		findings, err := w.service.VerifyStatements(w.ctx)
		w.must(err)
		if len(findings) == 0 || findings[0].Subject != "STM-2024-000001" {
			t.Errorf("findings %v", findings)
		}
	})
}

func TestQuery_PagesAndFilters(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := settledFor(t, db, "alpha", "beta", "gamma")
		_, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		_, err = w.service.IssueStatements(w.ctx, mustPeriod("2024-01"))
		w.must(err)
		page, err := w.service.Invoices(w.ctx, InvoiceFilter{Limit: 2})
		w.must(err)
		rest, err := w.service.Invoices(w.ctx, InvoiceFilter{After: page[1].Number, Limit: 2})
		w.must(err)
		if got := strings.Join(numbersOf(append(page, rest...)), " "); got != "INV-2024-000001 INV-2024-000002 INV-2024-000003" {
			t.Errorf("pages %s", got)
		}
		own, err := w.service.Invoices(w.ctx, InvoiceFilter{Consumer: "beta"})
		w.must(err)
		if len(own) != 1 || own[0].Consumer != "beta" || own[0].LineCount != 1 || own[0].Lines != nil {
			t.Errorf("beta's invoices: %+v", own)
		}
		none, err := w.service.Statements(w.ctx, StatementFilter{Provider: "alpha"})
		w.must(err)
		all, err := w.service.Statements(w.ctx, StatementFilter{Provider: "norge"})
		w.must(err)
		if len(none) != 0 || len(all) != 1 || all[0].LineCount != 3 {
			t.Errorf("statements: %+v and %+v", none, all)
		}
		if stm, err := w.service.Statement(w.ctx, all[0].Number); err != nil || len(stm.Lines) != 3 || stm.Gross != 3*33_700_000 {
			t.Errorf("statement %+v %v", stm, err)
		}
		for _, limit := range []int{-1, MaxPage + 1} {
			if _, err := w.service.Invoices(w.ctx, InvoiceFilter{Limit: limit}); corehour.KindOf(err) != corehour.KindInvalid {
				t.Errorf("a limit of %d: %v", limit, err)
			}
			if _, err := w.service.Balances(w.ctx, "", limit); corehour.KindOf(err) != corehour.KindInvalid {
				t.Errorf("a limit of %d: %v", limit, err)
			}
		}
		for _, number := range []string{"", "INV-2024-000009", "STM-2024-000001", "' OR '1'='1"} {
			if _, err := w.service.Invoice(w.ctx, number); corehour.KindOf(err) != corehour.KindNotFound {
				t.Errorf("invoice %q: %v", number, err)
			}
		}
	})
}

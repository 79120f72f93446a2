package billing

import (
	"slices"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func TestLedger_PostingsOfEachEvent(t *testing.T) {
	for name, c := range map[string]struct {
		typ  corehour.EventType
		data any
		want []posting
	}{
		"a deposit": {
			corehour.EventFundsDeposited, &corehour.FundsMoved{Account: "acme", Amount: 7},
			[]posting{{"cash", -7}, {"acme/available", 7}},
		},
		"a payout": {
			corehour.EventFundsPaidOut, &corehour.FundsMoved{Account: "acme", Amount: 7},
			[]posting{{"acme/available", -7}, {"cash", 7}},
		},
		"a bid": {
			corehour.EventBidPlaced, &corehour.BidPlaced{Bid: corehour.Bid{Consumer: "acme"}, Hold: 7},
			[]posting{{"acme/available", -7}, {"acme/held", 7}},
		},
		"a bid amended to hold more": {
			corehour.EventBidAmended, &corehour.BidAmended{Bid: corehour.Bid{Consumer: "acme"}, Hold: 10, HoldChange: 3},
			[]posting{{"acme/available", -3}, {"acme/held", 3}},
		},
		"a bid amended to hold less": {
			corehour.EventBidAmended, &corehour.BidAmended{Bid: corehour.Bid{Consumer: "acme"}, Hold: 10, HoldChange: -3},
			[]posting{{"acme/available", 3}, {"acme/held", -3}},
		},
		"a closed bid": {
			corehour.EventBidClosed, &corehour.BidClosed{Consumer: "acme", Released: 7},
			[]posting{{"acme/held", -7}, {"acme/available", 7}},
		},
		"a match": {
			corehour.EventLeaseMatched, &corehour.LeaseMatched{Lease: corehour.Lease{Consumer: "acme", Provider: "norge"}, Released: 7},
			[]posting{{"acme/held", -7}, {"acme/available", 7}},
		},
		"a charge": {
			corehour.EventChargePosted, &corehour.ChargePosted{Consumer: "acme", Provider: "norge", Amount: 7, Fee: 2},
			[]posting{{"acme/held", -7}, {"norge/available", 5}, {"fees", 2}},
		},
		"a settlement": {
			corehour.EventLeaseSettled, &corehour.LeaseSettled{Consumer: "acme", Provider: "norge", Charged: 3, Released: 7},
			[]posting{{"acme/held", -7}, {"acme/available", 7}},
		},
		"a match that a bond pays into": {
			corehour.EventLeaseMatched, &corehour.LeaseMatched{Lease: corehour.Lease{Consumer: "acme", Provider: "norge", Payer: "down", FromBond: 4}, Released: 7},
			[]posting{{"acme/held", -7}, {"acme/available", 7}, {"down/bond", -4}, {"acme/held", 4}},
		},
		"a failure": {
			corehour.EventLeaseEnded, &corehour.LeaseEnded{Consumer: "acme", Provider: "norge", Released: 7, Returned: 2, Payer: "down"},
			[]posting{{"acme/held", -7}, {"acme/available", 7}, {"down/bond", 2}, {"acme/held", -2}},
		},
		"a settlement that gives back to a bond": {
			corehour.EventLeaseSettled, &corehour.LeaseSettled{Consumer: "acme", Provider: "norge", Released: 7, Returned: 2, Payer: "down"},
			[]posting{{"acme/held", -7}, {"acme/available", 7}, {"down/bond", 2}, {"acme/held", -2}},
		},
		"a bond": {
			corehour.EventBondPosted, &corehour.BondMoved{Account: "norge", Amount: 7},
			[]posting{{"norge/available", -7}, {"norge/bond", 7}},
		},
		"a bond released": {
			corehour.EventBondReleased, &corehour.BondMoved{Account: "norge", Amount: 7},
			[]posting{{"norge/bond", -7}, {"norge/available", 7}},
		},
		"a credit": {
			corehour.EventSLACredited, &corehour.SLACredited{Consumer: "acme", Provider: "norge", Amount: 7},
			[]posting{{"norge/bond", -7}, {"acme/available", 7}},
		},
		"a resolved dispute": {
			corehour.EventDisputeResolved, &corehour.DisputeResolved{Consumer: "acme", Provider: "norge", Credit: 7},
			[]posting{{"norge/bond", -7}, {"acme/available", 7}},
		},
		"an opened account": {corehour.EventAccountOpened, &corehour.AccountOpened{Account: "acme"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			have := postingsOf(fact{Event: &corehour.Event{Type: c.typ}, data: c.data})
			if !slices.Equal(have, c.want) {
				t.Errorf("postings %v, want %v", have, c.want)
			}
		})
	}
}

func TestLedger_RefusesATransactionThatDoesNotBalance(t *testing.T) {
	var j journal
	err := j.add(&corehour.Event{Producer: corehour.ProducerExchange, Sequence: 3}, []posting{{"a/held", -5}, {"b/available", 4}})
	if err == nil {
		t.Error("5 out and 4 in was booked")
	}
}

func TestLedger_BalancesAreThoseOfTheExchange(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := twoLeases(t, db)
		w.checkBooks()
		balances, err := w.service.Balances(w.ctx, "", 0)
		w.must(err)
		have := make(map[string]string)
		for _, b := range balances {
			have[b.Account] = b.Amount.String()
		}
		want := map[string]string{
			"acme/available": "999.7641", "acme/held": "0.00", "cash": "-1000.00", "fees": "0.0058975", "norge/available": "0.2300025",
		}
		if len(have) != len(want) {
			t.Errorf("balances %v, want %v", have, want)
		}
		for account, amount := range want {
			if have[account] != amount {
				t.Errorf("%s stands at %s, want %s", account, have[account], amount)
			}
			if b, err := w.service.Balance(w.ctx, account); err != nil || b.String() != amount {
				t.Errorf("Balance(%s) is %s, %v", account, b, err)
			}
		}
		if b, err := w.service.Balance(w.ctx, "nobody/held"); err != nil || !b.IsZero() {
			t.Errorf("an unknown account stands at %s, %v", b, err)
		}
		var paged []string
		for after := ""; ; {
			page, err := w.service.Balances(w.ctx, after, 2)
			w.must(err)
			if len(page) == 0 {
				break
			}
			for _, b := range page {
				paged = append(paged, b.Account)
			}
			after = page[len(page)-1].Account
		}
		if len(paged) != len(want) {
			t.Errorf("pages hold %v", paged)
		}
	})
}

func TestLedger_ChangesOfTheTablesAreFound(t *testing.T) {
	for name, c := range map[string]struct{ change, subject string }{
		"a balance":               {`UPDATE ledger_accounts SET nano = nano + 1 WHERE account = 'fees'`, "fees"},
		"a lost balance":          {`DELETE FROM ledger_accounts WHERE account = 'fees'`, "fees"},
		"a posting":               {`UPDATE ledger_postings SET amount = amount - 1 WHERE sequence = 2 AND account = 'cash'`, "exchange/2"},
		"a lost posting":          {`DELETE FROM ledger_postings WHERE sequence = 2 AND account = 'cash'`, "exchange/2"},
		"a posting moved away":    {`UPDATE ledger_postings SET account = 'norge/available' WHERE sequence = 2 AND account = 'acme/available'`, "acme/available"},
		"a lost transaction":      {`DELETE FROM ledger_postings WHERE sequence = 2`, "exchange/2"},
		"an invented transaction": {`INSERT INTO ledger_transactions (sequence, type, at, subject) VALUES (9999, 'x', 0, 'x')`, "exchange/9999"},
	} {
		t.Run(name, func(t *testing.T) {
			w := twoLeases(t, testenv.SQLite(t))
			w.exec(c.change)
			findings, err := w.service.VerifyLedger(w.ctx)
			w.must(err)
			if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Subject == c.subject }) {
				t.Errorf("findings %v do not name %s", findings, c.subject)
			}
		})
	}
}

func TestLedger_ProofNamesWhatDiffers(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := twoLeases(t, db)
		w.funds["acme"].Held += 5
		delete(w.funds, "norge")
		w.funds["ghost"] = &Funds{Account: "ghost", Available: 1}
		differences, err := w.service.Proof(w.ctx, w.allFunds)
		w.must(err)
		want := []Difference{
			{"acme/held", Amount{}, AmountOf(5)},
			{"ghost/available", Amount{}, AmountOf(1)},
			{"norge/available", AmountOf(230_002_500), Amount{}},
		}
		if !slices.Equal(differences, want) {
			t.Errorf("differences %v, want %v", differences, want)
		}
	})
}

func TestLedger_CashMayExceedTheRangeOfMoney(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for i := range 20 {
			w.open(corehour.AccountID(rune('a'+i)), "rich", corehour.MaxMoney)
		}
		w.deliver(&w.exchange, 13)
		w.deliverAll()
		w.checkBooks()
		cash, err := w.service.Balance(w.ctx, AccountCash)
		w.must(err)
		if cash.String() != "-20000000000.00" {
			t.Errorf("cash stands at %s", cash)
		}
		if _, ok := cash.Money(); ok {
			t.Error("20 billion fit into money")
		}
	})
}

// An account with credit owes what it has not paid, and its provider may be paid
// out before it does: then available is below zero, and so is what the exchange has.
func TestLedger_CreditTakesAvailableAndCashBelowZero(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.open("acme", "Acme", corehour.NanoPerUnit/100)
		w.open("norge", "Norge", 0)
		w.publish(&w.exchange, corehour.EventCreditSet, "acme", corehour.CreditSet{Account: "acme", Limit: corehour.NanoPerUnit})
		id := w.match(standardLease("acme", "norge"))
		l := w.leases[id]
		w.end(id, corehour.StatusCompleted, l.End.Instant())
		for hour := range 3 {
			w.use(id, hour, 2*corehour.CPUHour/2)
		}
		w.closeUsage(id)
		w.run()
		paid := w.funds["norge"].Available
		w.funds["norge"].Available = 0
		w.publish(&w.exchange, corehour.EventFundsPaidOut, "norge", corehour.FundsMoved{Account: "norge", Amount: paid, Reference: "out"})
		w.deliverAll()
		w.checkBooks()
		available, err := w.service.Balance(w.ctx, AvailableAccount("acme"))
		w.must(err)
		cash, err := w.service.Balance(w.ctx, AccountCash)
		w.must(err)
		if w.funds["acme"].Available >= 0 || !available.negative() || available != AmountOf(w.funds["acme"].Available) || cash.negative() || cash.IsZero() {
			t.Errorf("acme has %s, by its events %s; cash stands at %s after %s was paid out", w.funds["acme"].Available, available, cash, paid)
		}
	})
}

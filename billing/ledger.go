package billing

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

// The ledger's accounts. A participant's three accounts are named after its own;
// names of accounts cannot hold a slash, so these never collide.
//
// Sign: a positive posting is a credit, a negative one a debit. What the exchange
// owes (available, held, bond) and earns (fees) has positive balances, and the cash it
// keeps for that has a negative one of the same size. So every transaction and
// the whole ledger sum to zero, and a participant's balances read as the
// exchange's state machine has them. An account with credit may have less than
// nothing available: it owes that. Where others were paid out what it owes, cash
// has a positive balance: the exchange has advanced it.
const (
	AccountCash = "cash"
	AccountFees = "fees"
)

// AvailableAccount is where a participant's available funds stand.
func AvailableAccount(a corehour.AccountID) string { return string(a) + "/available" }

// BondAccount is where a participant's bond stands.
func BondAccount(a corehour.AccountID) string { return string(a) + "/bond" }

// HeldAccount is where a participant's held funds stand.
func HeldAccount(a corehour.AccountID) string { return string(a) + "/held" }

// posting is one line of a transaction.
type posting struct {
	account string
	amount  corehour.Money
}

// move takes an amount from one account to another.
func move(from, to string, amount corehour.Money) []posting {
	return []posting{{from, -amount}, {to, amount}}
}

// postingsOf says how an event of the exchange moves money, nil where it does not.
func postingsOf(f fact) []posting {
	switch d := f.data.(type) {
	case *corehour.FundsMoved:
		if f.Type == corehour.EventFundsPaidOut {
			return move(AvailableAccount(d.Account), AccountCash, d.Amount)
		}
		return move(AccountCash, AvailableAccount(d.Account), d.Amount)
	case *corehour.BidPlaced:
		return move(AvailableAccount(d.Consumer), HeldAccount(d.Consumer), d.Hold)
	case *corehour.BidAmended:
		return move(AvailableAccount(d.Consumer), HeldAccount(d.Consumer), d.HoldChange)
	case *corehour.BidClosed:
		return release(d.Consumer, d.Released)
	case *corehour.LeaseMatched:
		return append(release(d.Consumer, d.Released), paidIn(d.Payer, d.Consumer, d.FromBond)...)
	case *corehour.LeaseEnded:
		return append(release(d.Consumer, d.Released), paidIn(d.Payer, d.Consumer, -d.Returned)...)
	case *corehour.LeaseSettled:
		return append(release(d.Consumer, d.Released), paidIn(d.Payer, d.Consumer, -d.Returned)...)
	case *corehour.BondMoved:
		if f.Type == corehour.EventBondReleased {
			return move(BondAccount(d.Account), AvailableAccount(d.Account), d.Amount)
		}
		return move(AvailableAccount(d.Account), BondAccount(d.Account), d.Amount)
	case *corehour.SLACredited:
		return move(BondAccount(d.Provider), AvailableAccount(d.Consumer), d.Amount)
	case *corehour.DisputeResolved:
		return move(BondAccount(d.Provider), AvailableAccount(d.Consumer), d.Credit)
	case *corehour.ChargePosted:
		return []posting{
			{HeldAccount(d.Consumer), -d.Amount},
			{AvailableAccount(d.Provider), d.Amount - d.Fee},
			{AccountFees, d.Fee},
		}
	}
	return nil
}

func release(consumer corehour.AccountID, amount corehour.Money) []posting {
	return move(HeldAccount(consumer), AvailableAccount(consumer), amount)
}

// paidIn is what the bond of a provider that failed pays into the hold of a cover,
// or gets back of it where it is below zero. Most leases have nothing of that.
func paidIn(payer, consumer corehour.AccountID, amount corehour.Money) []posting {
	if amount == 0 {
		return nil
	}
	return move(BondAccount(payer), HeldAccount(consumer), amount)
}

// journal gathers the transactions of a batch.
type journal struct {
	transactions [][]any
	postings     [][]any
	changes      map[string]*Amount
}

// add books one event. Lines of nothing are left out, and so is a transaction
// that has no others. One that does not sum to zero is a bug of postingsOf.
func (j *journal) add(e *corehour.Event, postings []posting) error {
	var sum corehour.Money
	line := int64(0)
	for _, p := range postings {
		if p.amount == 0 {
			continue
		}
		sum += p.amount
		line++
		j.postings = append(j.postings, []any{e.Sequence, line, p.account, int64(p.amount)})
		j.change(p)
	}
	if sum != 0 {
		return fmt.Errorf("ledger transaction %s sums to %s", e.ID(), sum)
	}
	if line > 0 {
		j.transactions = append(j.transactions, []any{e.Sequence, string(e.Type), int64(e.Time), e.Subject})
	}
	return nil
}

func (j *journal) change(p posting) {
	if j.changes == nil {
		j.changes = make(map[string]*Amount)
	}
	c := j.changes[p.account]
	if c == nil {
		c = new(Amount)
		j.changes[p.account] = c
	}
	whole, nano := split(p.amount)
	*c = newAmount(c.whole+whole, c.nano+nano)
}

// save appends the transactions and moves the running balances with them.
func (j *journal) save(ctx context.Context, tx *sql.Tx) error {
	err := database.Insert(ctx, tx, "ledger_transactions", []string{"sequence", "type", "at", "subject"}, j.transactions, "")
	if err != nil {
		return wrap("write the ledger", err)
	}
	err = database.Insert(ctx, tx, "ledger_postings", []string{"sequence", "line", "account", "amount"}, j.postings, "")
	if err != nil {
		return wrap("write the ledger", err)
	}
	names := make([]string, 0, len(j.changes))
	for name := range j.changes {
		names = append(names, name)
	}
	slices.Sort(names)
	rows := make([][]any, len(names))
	for i, name := range names {
		rows[i] = []any{name, j.changes[name].whole, j.changes[name].nano}
	}
	err = database.Insert(ctx, tx, "ledger_accounts", []string{"account", "whole", "nano"}, rows,
		`ON CONFLICT (account) DO UPDATE SET
		 whole = ledger_accounts.whole + excluded.whole, nano = ledger_accounts.nano + excluded.nano`)
	return wrap("write the ledger", err)
}

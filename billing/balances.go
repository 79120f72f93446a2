package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/corehour/corehour"
)

// Balance is what stands on an account of the ledger.
type Balance struct {
	Account string `json:"account"`
	Amount  Amount `json:"amount"`
}

// Balances returns a page of the ledger's accounts in the order of their names,
// beginning after one.
func (s *Service) Balances(ctx context.Context, after string, limit int) ([]Balance, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Reader().QueryContext(ctx,
		`SELECT account, whole, nano FROM ledger_accounts WHERE account > $1 ORDER BY account LIMIT $2`, after, limit)
	if err != nil {
		return nil, corehour.Internal("billing.Balances", err)
	}
	balances, err := scanBalances(rows)
	if err != nil {
		return nil, corehour.Internal("billing.Balances", err)
	}
	return balances, nil
}

func scanBalances(rows *sql.Rows) ([]Balance, error) {
	defer rows.Close()
	var balances []Balance
	for rows.Next() {
		var b Balance
		var whole, nano int64
		if err := rows.Scan(&b.Account, &whole, &nano); err != nil {
			return nil, err
		}
		b.Amount = newAmount(whole, nano)
		balances = append(balances, b)
	}
	return balances, rows.Err()
}

// Balance is what stands on one account, nothing where it has never been posted to.
func (s *Service) Balance(ctx context.Context, account string) (Amount, error) {
	var whole, nano int64
	err := s.db.Reader().QueryRowContext(ctx,
		`SELECT whole, nano FROM ledger_accounts WHERE account = $1`, account).Scan(&whole, &nano)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Amount{}, corehour.Internal("billing.Balance", err)
	}
	return newAmount(whole, nano), nil
}

// Sum is the sum of all postings, which is zero.
func (s *Service) Sum(ctx context.Context) (corehour.Money, error) {
	var whole, nano int64
	err := s.db.Reader().QueryRowContext(ctx, `SELECT `+sumOf("amount")+` FROM ledger_postings`).Scan(&whole, &nano)
	if err != nil {
		return 0, corehour.Internal("billing.Sum", err)
	}
	return moneyOf("the ledger's sum", whole, nano)
}

// sumOf sums a column of nano-units in two parts, each of which fits 64 bits.
func sumOf(column string) string {
	return `CAST(COALESCE(SUM(` + column + ` / 1000000000), 0) AS BIGINT), CAST(COALESCE(SUM(` + column + ` % 1000000000), 0) AS BIGINT)`
}

func moneyOf(what string, whole, nano int64) (corehour.Money, error) {
	m, ok := newAmount(whole, nano).Money()
	if !ok {
		return 0, outOfRange(what)
	}
	return m, nil
}

// Finding is something that a check found to be wrong.
type Finding struct {
	Subject string `json:"subject"` // an account, a transaction, a document
	Problem string `json:"problem"`
}

func findingf(subject, format string, args ...any) Finding {
	return Finding{Subject: subject, Problem: fmt.Sprintf(format, args...)}
}

// VerifyLedger adds up all postings again and reports every account whose
// running balance says something else, and every transaction that does not sum
// to zero or has lost its postings, up to MaxFindings.
func (s *Service) VerifyLedger(ctx context.Context) ([]Finding, error) {
	var findings []Finding
	err := s.snapshot(ctx, func(ctx context.Context, q querier) error {
		unequal, err := unequalAccounts(ctx, q)
		if err != nil {
			return err
		}
		unbalanced, err := unbalancedTransactions(ctx, q)
		findings = append(unequal, unbalanced...)
		return err
	})
	if err != nil {
		return nil, corehour.Internal("billing.VerifyLedger", err)
	}
	return findings[:min(len(findings), MaxFindings)], nil
}

func unequalAccounts(ctx context.Context, q querier) ([]Finding, error) {
	rows, err := q.QueryContext(ctx, `SELECT account, `+sumOf("amount")+` FROM ledger_postings GROUP BY account`)
	if err != nil {
		return nil, err
	}
	posted, err := scanBalances(rows)
	if err != nil {
		return nil, err
	}
	rows, err = q.QueryContext(ctx, `SELECT account, whole, nano FROM ledger_accounts ORDER BY account`)
	if err != nil {
		return nil, err
	}
	running, err := scanBalances(rows)
	if err != nil {
		return nil, err
	}
	sums := make(map[string]Amount, len(posted))
	for _, b := range posted {
		sums[b.Account] = b.Amount
	}
	var findings []Finding
	for _, b := range running {
		if sums[b.Account] != b.Amount {
			findings = append(findings, findingf(b.Account, "its balance is %s, its postings sum to %s", b.Amount, sums[b.Account]))
		}
		delete(sums, b.Account)
	}
	for account, sum := range sums {
		findings = append(findings, findingf(account, "it has no balance, its postings sum to %s", sum))
	}
	slices.SortFunc(findings, func(x, y Finding) int { return strings.Compare(x.Subject, y.Subject) })
	return findings, nil
}

func unbalancedTransactions(ctx context.Context, q querier) ([]Finding, error) {
	rows, err := q.QueryContext(ctx,
		`SELECT t.sequence, CAST(COALESCE(SUM(p.amount), 0) AS BIGINT), CAST(COUNT(p.amount) AS BIGINT)
		 FROM ledger_transactions t LEFT JOIN ledger_postings p ON p.sequence = t.sequence
		 GROUP BY t.sequence HAVING SUM(p.amount) <> 0 OR COUNT(p.amount) < 2
		 ORDER BY t.sequence LIMIT $1`, MaxFindings)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var findings []Finding
	for rows.Next() {
		var sequence, sum, lines int64
		if err := rows.Scan(&sequence, &sum, &lines); err != nil {
			return nil, err
		}
		findings = append(findings, findingf(transactionID(sequence), "its %d postings sum to %s", lines, corehour.Money(sum)))
	}
	return findings, rows.Err()
}

// transactionID is the id of the event that a transaction books.
func transactionID(sequence int64) string {
	e := corehour.Event{Producer: corehour.ProducerExchange, Sequence: sequence}
	return e.ID()
}

// Funds are what the exchange's state machine says of an account.
type Funds struct {
	Account   corehour.AccountID
	Available corehour.Money
	Held      corehour.Money
	Bond      corehour.Money
}

// Difference is an account of the ledger that disagrees with the exchange.
type Difference struct {
	Account  string `json:"account"`
	Ledger   Amount `json:"ledger"`
	Exchange Amount `json:"exchange"`
}

// Proof compares the ledger with the funds of all accounts of the exchange and
// returns what differs, by account. The two are comparable when billing has
// taken the exchange's events up to the state that the funds are of. It holds one
// entry per account in memory.
func (s *Service) Proof(ctx context.Context, funds iter.Seq[Funds]) ([]Difference, error) {
	rows, err := s.db.Reader().QueryContext(ctx, `SELECT account, whole, nano FROM ledger_accounts`)
	if err != nil {
		return nil, corehour.Internal("billing.Proof", err)
	}
	balances, err := scanBalances(rows)
	if err != nil {
		return nil, corehour.Internal("billing.Proof", err)
	}
	ledger := make(map[string]Amount, len(balances))
	for _, b := range balances {
		if b.Account != AccountCash && b.Account != AccountFees {
			ledger[b.Account] = b.Amount
		}
	}
	var differences []Difference
	compare := func(account string, want Amount) {
		if have := ledger[account]; have != want {
			differences = append(differences, Difference{Account: account, Ledger: have, Exchange: want})
		}
		delete(ledger, account)
	}
	for f := range funds {
		compare(AvailableAccount(f.Account), AmountOf(f.Available))
		compare(HeldAccount(f.Account), AmountOf(f.Held))
		compare(BondAccount(f.Account), AmountOf(f.Bond))
	}
	for account, have := range ledger {
		if !have.IsZero() {
			differences = append(differences, Difference{Account: account, Ledger: have})
		}
	}
	slices.SortFunc(differences, func(x, y Difference) int { return strings.Compare(x.Account, y.Account) })
	return differences, nil
}

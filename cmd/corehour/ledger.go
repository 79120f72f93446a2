package main

import (
	"context"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
)

// ledger answers what the API asks of the books: billing keeps them, and the
// exchange is the one they are compared with.
type ledger struct{ s *service }

// Balances lists the ledger's accounts.
func (l ledger) Balances(ctx context.Context, after string, limit int) ([]billing.Balance, error) {
	return l.s.billing.Balances(ctx, after, limit)
}

// ledgerAttempts bounds how often a check starts again because money has moved
// meanwhile.
const ledgerAttempts = 20

// CheckLedger recomputes the ledger from its postings and compares it with the
// state machine's funds at one point of the log. Where the exchange is trading,
// the ledger may already be beyond that point; then it looks again.
func (l ledger) CheckLedger(ctx context.Context) (api.LedgerCheck, error) {
	for range ledgerAttempts {
		check, still, err := l.checkOnce(ctx)
		if err != nil || still || len(check.Differences) == 0 {
			return check, err
		}
	}
	return api.LedgerCheck{}, corehour.Errorf(corehour.KindUnavailable, "ledger_busy",
		"money moved during every one of %d comparisons; try again when it is quieter", ledgerAttempts)
}

// checkOnce compares once; still says that nothing moved meanwhile, so that a
// difference is one.
func (l ledger) checkOnce(ctx context.Context) (check api.LedgerCheck, still bool, err error) {
	var accounts []exchange.AccountView
	before := l.s.exchange.Funds(func(a exchange.AccountView) { accounts = append(accounts, a) })
	if err := l.s.billed(ctx); err != nil {
		return check, false, err
	}
	if check.Sum, err = l.s.billing.Sum(ctx); err != nil {
		return check, false, err
	}
	if check.Findings, err = l.s.billing.VerifyLedger(ctx); err != nil {
		return check, false, err
	}
	if check.Differences, err = l.s.billing.Proof(ctx, slices.Values(fundsOf(accounts))); err != nil {
		return check, false, err
	}
	after := l.s.exchange.Funds(func(exchange.AccountView) {})
	return check, before == after, nil
}

// billed waits until billing has taken what the exchange has applied by now.
func (s *service) billed(ctx context.Context) error { return s.taken(ctx, billing.ConsumerName) }

// taken waits until a consumer has taken what the exchange has applied by now.
func (s *service) taken(ctx context.Context, consumer string) error {
	if err := s.exchange.Projected(ctx); err != nil {
		return err
	}
	last, err := s.bus.LastSequence(ctx, corehour.ProducerExchange)
	if err != nil {
		return err
	}
	return s.bus.WaitFor(ctx, consumer, corehour.ProducerExchange, last)
}

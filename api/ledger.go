package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/billing"
)

// Ledger reads and checks the double-entry ledger.
type Ledger interface {
	Balances(ctx context.Context, after string, limit int) ([]billing.Balance, error)
	// CheckLedger adds up the whole ledger again and compares it with the funds of
	// the exchange.
	CheckLedger(ctx context.Context) (LedgerCheck, error)
}

// LedgerCheck is what a check of the ledger found. It is in order where the sum
// is zero and the lists are empty.
type LedgerCheck struct {
	Sum         corehour.Money       `json:"sum" doc:"The sum of all postings, which must be zero."`
	Findings    []billing.Finding    `json:"findings" doc:"What the ledger contradicts itself in."`
	Differences []billing.Difference `json:"differences" doc:"What the ledger and the exchange disagree in."`
}

func (s *Server) registerLedger() {
	const tag = "ledger"
	register(s, operation{
		id: "list-balances", method: http.MethodGet, path: "/v1/ledger/balances", tag: tag,
		summary: "List the balances of the ledger", description: "In the order of the accounts' names.",
		roles: []Role{RoleFinance, RoleOperator},
	}, s.listBalances)
	register(s, operation{
		id: "check-ledger", method: http.MethodGet, path: "/v1/ledger/check", tag: tag,
		summary: "Check the ledger", description: "Adds up all postings and compares the balances with the exchange's funds.",
		roles: []Role{RoleFinance, RoleOperator}, waits: true,
	}, func(ctx context.Context, _ Caller, _ *struct{}) (*struct{ Body LedgerCheck }, error) {
		check, err := s.config.Ledger.CheckLedger(ctx)
		if err != nil {
			return nil, err
		}
		check.Findings = append([]billing.Finding{}, check.Findings...)
		check.Differences = append([]billing.Difference{}, check.Differences...)
		return &struct{ Body LedgerCheck }{Body: check}, nil
	})
}

func (s *Server) listBalances(ctx context.Context, _ Caller, in *struct {
	LimitParam
	After string `query:"after" maxLength:"128" pattern:"^[A-Za-z0-9._:/-]*$" doc:"The last account of the page before." example:"lab-a/held"`
}) (*pageOutput[billing.Balance], error) {
	items, err := s.config.Ledger.Balances(ctx, in.After, in.limit())
	if err != nil {
		return nil, err
	}
	return &pageOutput[billing.Balance]{Body: pageOf(items, in.limit(), func(b billing.Balance) string { return b.Account })}, nil
}

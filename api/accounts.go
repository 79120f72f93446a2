package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// OpenAccount is the body of POST /v1/accounts.
type OpenAccount struct {
	Account corehour.AccountID `json:"account" maxLength:"64" doc:"The account's name, forever." example:"lab-a"`
	Org     corehour.OrgID     `json:"org" maxLength:"64" doc:"The organisation it belongs to. A bid never trades with an offer of its own organisation." example:"university"`
	Name    string             `json:"name" minLength:"1" maxLength:"256" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"What people call it." example:"Laboratory A"`
}

func (b *OpenAccount) check(c *checker) { c.text("name", b.Name) }

// MoveFunds is the body of POST /v1/accounts/{account}/deposits and /payouts.
type MoveFunds struct {
	Amount    corehour.Money `json:"amount" doc:"How much, above zero." example:"1000.00"`
	Reference string         `json:"reference" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"Your name for this movement. Within an account it happens once." example:"wire-2026-03-0042"`
}

func (b *MoveFunds) check(c *checker) { c.amount("amount", b.Amount) }

// FundsMoved is the answer to a movement of funds.
type FundsMoved struct {
	Account   corehour.AccountID `json:"account"`
	Amount    corehour.Money     `json:"amount"`
	Reference string             `json:"reference"`
}

// AccountParam is the input of what is about one account.
type AccountParam struct {
	Account corehour.AccountID `path:"account" maxLength:"64" doc:"The account's name." example:"lab-a"`
}

type accountOutput struct {
	Body exchange.AccountView
}

func (s *Server) registerAccounts() {
	const tag = "accounts"
	register(s, operation{
		id: "open-account", method: http.MethodPost, path: "/v1/accounts", tag: tag,
		summary:     "Open an account",
		description: "Opening it again with the same organisation and name changes nothing and succeeds.",
		roles:       []Role{RoleOperator}, status: http.StatusCreated, responses: replayResponse(),
	}, s.openAccount)
	register(s, operation{
		id: "list-accounts", method: http.MethodGet, path: "/v1/accounts", tag: tag,
		summary: "List the accounts and their funds", roles: []Role{RoleOperator, RoleFinance},
	}, s.listAccounts)
	register(s, operation{
		id: "get-account", method: http.MethodGet, path: "/v1/accounts/{account}", tag: tag,
		summary: "Read an account and its funds", description: "Providers and consumers read their own.",
	}, s.getAccount)
	register(s, operation{
		id: "deposit", method: http.MethodPost, path: "/v1/accounts/{account}/deposits", tag: tag,
		summary: "Deposit funds", description: "Adds to the account's available funds, once per reference.",
		roles: []Role{RoleFinance}, status: http.StatusCreated, responses: replayResponse(),
	}, func(ctx context.Context, _ Caller, in *moveFundsInput) (*created[FundsMoved], error) {
		b := &in.Body.value
		return s.moveFunds(ctx, in, exchange.Deposit{Account: in.Account, Amount: b.Amount, Reference: b.Reference})
	})
	register(s, operation{
		id: "pay-out", method: http.MethodPost, path: "/v1/accounts/{account}/payouts", tag: tag,
		summary: "Pay out funds", description: "Takes from the account's available funds, once per reference.",
		roles: []Role{RoleFinance}, status: http.StatusCreated, responses: replayResponse(),
	}, func(ctx context.Context, _ Caller, in *moveFundsInput) (*created[FundsMoved], error) {
		b := &in.Body.value
		return s.moveFunds(ctx, in, exchange.PayOut{Account: in.Account, Amount: b.Amount, Reference: b.Reference})
	})
}

func (s *Server) openAccount(ctx context.Context, _ Caller, in *withBody[OpenAccount]) (*created[exchange.AccountView], error) {
	b := &in.Body.value
	reply, err := s.submit(ctx, exchange.OpenAccount{Account: b.Account, Org: b.Org, Name: b.Name})
	if err != nil {
		return nil, err
	}
	view, err := s.config.Exchange.Account(ctx, b.Account)
	if err != nil {
		return nil, err
	}
	return createdAt("/v1/accounts/"+string(b.Account), reply.Repeat, view), nil
}

func (s *Server) listAccounts(ctx context.Context, _ Caller, in *struct {
	LimitParam
	After corehour.AccountID `query:"after" maxLength:"64" doc:"The last account of the page before." example:"lab-a"`
}) (*pageOutput[exchange.AccountView], error) {
	items, err := s.config.Exchange.Accounts(ctx, in.After, in.limit())
	if err != nil {
		return nil, err
	}
	return &pageOutput[exchange.AccountView]{Body: pageOf(items, in.limit(), func(a exchange.AccountView) string { return string(a.Account) })}, nil
}

func (s *Server) getAccount(ctx context.Context, c Caller, in *AccountParam) (*accountOutput, error) {
	if !c.readsAll() && in.Account != c.Account {
		return nil, notFound("account")
	}
	view, err := s.config.Exchange.Account(ctx, in.Account)
	if err != nil {
		return nil, hidden(err, "account")
	}
	return &accountOutput{Body: view}, nil
}

type moveFundsInput struct {
	AccountParam
	withBody[MoveFunds]
}

func (s *Server) moveFunds(ctx context.Context, in *moveFundsInput, command exchange.Command) (*created[FundsMoved], error) {
	reply, err := s.config.Exchange.Submit(ctx, command)
	switch {
	case err != nil:
		return nil, err
	case reply.Code == exchange.CodeUnknownAccount:
		return nil, notFound("account")
	case reply.Rejected():
		return nil, rejection(&reply)
	}
	b := &in.Body.value
	return createdAt("/v1/accounts/"+string(in.Account), reply.Repeat,
		FundsMoved{Account: in.Account, Amount: b.Amount, Reference: b.Reference}), nil
}

package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// SetLimits is the body of PUT /v1/limits and /v1/accounts/{account}/limits.
type SetLimits struct {
	OrderUnits      corehour.Units       `json:"order_units,omitempty" minimum:"0" maximum:"1000000" doc:"The most units of one order; 0, or not given, is no limit, here and below." example:"1000"`
	OrderNotional   corehour.Money       `json:"order_notional,omitempty" doc:"The most that one bid may cost: limit price x units x duration." example:"5000.00"`
	OpenOrders      int64                `json:"open_orders,omitempty" minimum:"0" maximum:"8000000" doc:"The most orders in the book at a time, bids and offers together." example:"200"`
	OrdersPerSecond int64                `json:"orders_per_second,omitempty" minimum:"0" maximum:"1000000" doc:"How many orders may be placed or amended in a second." example:"50"`
	PriceCollar     corehour.BasisPoints `json:"price_collar_bps,omitempty" minimum:"0" maximum:"1000000" doc:"How far an order's price may be from the last lease of its product, in ten-thousandths of that, either way." example:"5000"`
	SpendPerDay     corehour.Money       `json:"spend_per_day,omitempty" doc:"The most that the leases matched in a UTC day may hold at their match, together with what open bids hold." example:"20000.00"`
}

func (b *SetLimits) check(c *checker) {
	c.amountOrNone("order_notional", b.OrderNotional)
	c.amountOrNone("spend_per_day", b.SpendPerDay)
}

// SetCredit is the body of PUT /v1/accounts/{account}/credit.
type SetCredit struct {
	Limit corehour.Money `json:"credit_limit" doc:"How far available funds may go below zero, for bids; 0 makes the account prepaid." example:"500.00"`
}

func (b *SetCredit) check(c *checker) { c.amountOrNone("credit_limit", b.Limit) }

type limitsOutput struct {
	Body exchange.LimitsView
}

type defaultLimitsOutput struct {
	Body corehour.Limits
}

func (s *Server) registerLimits() {
	const tag = "limits"
	operator := []Role{RoleOperator}
	register(s, operation{
		id: "set-credit", method: http.MethodPut, path: "/v1/accounts/{account}/credit", tag: tag,
		summary: "Give an account credit", roles: operator,
		description: "Bids may hold more than was deposited, by at most so much. A limit below what is used is taken: " +
			"then nothing new is held before the account is back within it. Payouts never use credit.",
	}, s.setCredit)
	register(s, operation{
		id: "get-account-limits", method: http.MethodGet, path: "/v1/accounts/{account}/limits", tag: tag,
		summary:     "Read an account's limits and how much of them is used",
		description: "Its own, or those of the exchange. A limit that is absent is none. Providers and consumers read theirs.",
	}, s.getAccountLimits)
	register(s, operation{
		id: "set-account-limits", method: http.MethodPut, path: "/v1/accounts/{account}/limits", tag: tag,
		summary: "Give an account limits of its own", roles: operator,
		description: "They replace those of the exchange as a whole: what is not given is not limited. Open orders stay.",
	}, func(ctx context.Context, _ Caller, in *struct {
		AccountParam
		withBody[SetLimits]
	}) (*limitsOutput, error) {
		limits := corehour.Limits(in.Body.value)
		return s.setAccountLimits(ctx, in.Account, &limits)
	})
	register(s, operation{
		id: "clear-account-limits", method: http.MethodDelete, path: "/v1/accounts/{account}/limits", tag: tag,
		summary: "Give an account the limits of the exchange again", roles: operator,
	}, func(ctx context.Context, _ Caller, in *AccountParam) (*limitsOutput, error) {
		return s.setAccountLimits(ctx, in.Account, nil)
	})
	register(s, operation{
		id: "get-limits", method: http.MethodGet, path: "/v1/limits", tag: tag,
		summary: "Read the limits of the exchange", description: "Those of accounts without their own. One that is absent is none.",
	}, func(ctx context.Context, _ Caller, _ *struct{}) (*defaultLimitsOutput, error) {
		limits, err := s.config.Exchange.DefaultLimits(ctx)
		return &defaultLimitsOutput{Body: limits}, err
	})
	register(s, operation{
		id: "set-limits", method: http.MethodPut, path: "/v1/limits", tag: tag,
		summary: "Set the limits of the exchange", description: "Those of accounts without their own. What is not given is not limited.",
		roles: operator,
	}, func(ctx context.Context, _ Caller, in *withBody[SetLimits]) (*defaultLimitsOutput, error) {
		limits := corehour.Limits(in.Body.value)
		if _, err := s.submit(ctx, exchange.SetLimits{Limits: &limits}); err != nil {
			return nil, err
		}
		return &defaultLimitsOutput{Body: limits}, nil
	})
}

// aboutAccount submits a command about the account of the path.
func (s *Server) aboutAccount(ctx context.Context, c exchange.Command) error {
	reply, err := s.config.Exchange.Submit(ctx, c)
	switch {
	case err != nil:
		return err
	case reply.Code == exchange.CodeUnknownAccount:
		return notFound("account")
	case reply.Rejected():
		return rejection(&reply)
	}
	return nil
}

func (s *Server) setCredit(ctx context.Context, _ Caller, in *struct {
	AccountParam
	withBody[SetCredit]
}) (*accountOutput, error) {
	if err := s.aboutAccount(ctx, exchange.SetCredit{Account: in.Account, Limit: in.Body.value.Limit}); err != nil {
		return nil, err
	}
	view, err := s.config.Exchange.Account(ctx, in.Account)
	return &accountOutput{Body: view}, err
}

func (s *Server) setAccountLimits(ctx context.Context, account corehour.AccountID, limits *corehour.Limits) (*limitsOutput, error) {
	if err := s.aboutAccount(ctx, exchange.SetLimits{Account: account, Limits: limits}); err != nil {
		return nil, err
	}
	view, err := s.config.Exchange.Limits(ctx, account)
	return &limitsOutput{Body: view}, err
}

func (s *Server) getAccountLimits(ctx context.Context, c Caller, in *AccountParam) (*limitsOutput, error) {
	if !c.readsAll() && in.Account != c.Account {
		return nil, notFound("account")
	}
	view, err := s.config.Exchange.Limits(ctx, in.Account)
	if err != nil {
		return nil, hidden(err, "account")
	}
	return &limitsOutput{Body: view}, nil
}

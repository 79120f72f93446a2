package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// HaltTrading is the body of POST /v1/halts.
type HaltTrading struct {
	Scope        corehour.HaltScope `json:"scope" doc:"What is halted."`
	Name         string             `json:"name,omitempty" maxLength:"64" doc:"The product or the account; not given for the exchange." example:"cpu.standard"`
	CancelOrders bool               `json:"cancel_orders,omitempty" doc:"Whether open orders are taken back, at most 10000 at a time." example:"false"`
	Reason       string             `json:"reason,omitempty" maxLength:"256" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"Why, for a person; everybody whose order it stops reads it." example:"audit of the price feed"`
}

func (b *HaltTrading) check(c *checker) { c.text("reason", b.Reason) }

// ResumeTrading is the body of POST /v1/halts/resume.
type ResumeTrading struct {
	Scope  corehour.HaltScope `json:"scope" doc:"What was halted."`
	Name   string             `json:"name,omitempty" maxLength:"64" doc:"The product or the account; not given for the exchange." example:"cpu.standard"`
	Reason string             `json:"reason,omitempty" maxLength:"256" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"Why, for a person." example:"audit done"`
}

func (b *ResumeTrading) check(c *checker) { c.text("reason", b.Reason) }

// KillSwitch is the body of POST /v1/kill-switch.
type KillSwitch struct {
	Reason string `json:"reason,omitempty" maxLength:"256" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"Why, for a person." example:"runaway script"`
}

func (b *KillSwitch) check(c *checker) { c.text("reason", b.Reason) }

// Halted is the answer to a halt.
type Halted struct {
	Scope     corehour.HaltScope `json:"scope"`
	Name      string             `json:"name,omitempty"`
	Cancelled int64              `json:"cancelled" doc:"How many orders were taken back, at most 10000."`
	More      bool               `json:"more" doc:"Whether orders are left that were to be taken back; ask again until it is false."`
}

// Resumed is the answer to the end of a halt.
type Resumed struct {
	Scope  corehour.HaltScope `json:"scope"`
	Name   string             `json:"name,omitempty"`
	Leases int64              `json:"leases" doc:"How many leases came at once of what had come free meanwhile."`
}

func (s *Server) registerHalts() {
	const tag = "halts"
	register(s, operation{
		id: "list-halts", method: http.MethodGet, path: "/v1/halts", tag: tag,
		summary:     "List what is halted",
		description: "Everybody sees halts of the exchange and of products; those of accounts are seen by the account, finance and operator.",
	}, s.listHalts)
	register(s, operation{
		id: "halt", method: http.MethodPost, path: "/v1/halts", tag: tag,
		summary: "Halt the exchange, a product, an account or a provider's offers",
		description: "Leases go on, and orders can be cancelled. Halting again changes nothing, and takes back what is left of the orders if that is asked. " +
			"The operator halts anything, consumers and providers their own account.",
		roles: []Role{RoleConsumer, RoleProvider, RoleOperator},
	}, func(ctx context.Context, c Caller, in *withBody[HaltTrading]) (*struct{ Body Halted }, error) {
		b := &in.Body.value
		return s.halt(ctx, c, exchange.Halt{Scope: b.Scope, Name: b.Name, CancelOrders: b.CancelOrders, Reason: b.Reason})
	})
	register(s, operation{
		id: "kill-switch", method: http.MethodPost, path: "/v1/kill-switch", tag: tag,
		summary:     "Halt your own account and take back all of its open orders",
		description: "The same as a halt with your account as its scope and cancel_orders.",
		roles:       []Role{RoleConsumer, RoleProvider},
	}, func(ctx context.Context, c Caller, in *withBody[KillSwitch]) (*struct{ Body Halted }, error) {
		return s.halt(ctx, c, exchange.Halt{
			Scope: corehour.HaltAccount, Name: string(c.Account), CancelOrders: true, Reason: in.Body.value.Reason,
		})
	})
	register(s, operation{
		id: "resume", method: http.MethodPost, path: "/v1/halts/resume", tag: tag,
		summary: "End a halt",
		description: "What came free meanwhile goes to waiting bids. What is not halted stays as it is. " +
			"An account ends a halt that it made itself, the operator any.",
		roles: []Role{RoleConsumer, RoleProvider, RoleOperator},
	}, s.resume)
}

// mayHalt hides other accounts from who may not halt them.
func (c *Caller) mayHalt(scope corehour.HaltScope, name string) error {
	ofAccount := scope == corehour.HaltAccount || scope == corehour.HaltProvider
	switch {
	case c.Role == RoleOperator, ofAccount && name == string(c.Account):
		return nil
	case ofAccount:
		return notFound("account")
	}
	return &corehour.Error{Kind: corehour.KindForbidden, Code: corehour.CodeForbidden, Field: "body.scope",
		Message: "only the operator halts the exchange and its products"}
}

func (s *Server) halt(ctx context.Context, c Caller, command exchange.Halt) (*struct{ Body Halted }, error) {
	if err := c.mayHalt(command.Scope, command.Name); err != nil {
		return nil, err
	}
	command.By, command.Operator = c.Account, c.Role == RoleOperator
	reply, err := s.submit(ctx, command)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Halted }{Halted{
		Scope: command.Scope, Name: command.Name, Cancelled: int64(reply.Cancelled), More: reply.More,
	}}, nil
}

func (s *Server) resume(ctx context.Context, c Caller, in *withBody[ResumeTrading]) (*struct{ Body Resumed }, error) {
	b := &in.Body.value
	if err := c.mayHalt(b.Scope, b.Name); err != nil {
		return nil, err
	}
	reply, err := s.submit(ctx, exchange.Resume{
		Scope: b.Scope, Name: b.Name, Reason: b.Reason, By: c.Account, Operator: c.Role == RoleOperator,
	})
	if err != nil {
		return nil, err
	}
	return &struct{ Body Resumed }{Resumed{Scope: b.Scope, Name: b.Name, Leases: int64(len(reply.Fills))}}, nil
}

func (s *Server) listHalts(ctx context.Context, c Caller, _ *struct{}) (*pageOutput[corehour.Halt], error) {
	halts, err := s.config.Exchange.Halts(ctx)
	if err != nil {
		return nil, err
	}
	seen := make([]corehour.Halt, 0, len(halts))
	for _, h := range halts {
		public := h.Scope == corehour.HaltExchange || h.Scope == corehour.HaltProduct
		if public || c.readsAll() || h.Name == string(c.Account) {
			seen = append(seen, h)
		}
	}
	return wholeList(seen, nil)
}

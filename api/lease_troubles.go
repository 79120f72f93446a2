package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// Heartbeats is the body of POST /v1/leases/heartbeats.
type Heartbeats struct {
	Leases []corehour.LeaseID `json:"leases" minItems:"1" maxItems:"4096" doc:"Active leases that run." example:"[\"lease-17\",\"lease-18\"]"`
}

// Heard is the answer to heartbeats.
type Heard struct {
	NotRunning []corehour.LeaseID `json:"not_running" doc:"Those that are not active leases of yours; the others were heard."`
}

type heardOutput struct {
	Body Heard
}

// InterruptLease is the body of POST /v1/leases/{lease}/interrupt.
type InterruptLease struct {
	At corehour.Minute `json:"at" doc:"When the lease ends, a whole minute before its end, with the notice of the rules." example:"2026-03-01T13:30:00Z"`
}

func (b *InterruptLease) check(c *checker) { c.minute("at", b.At) }

// DisputeLease is the body of POST /v1/leases/{lease}/dispute.
type DisputeLease struct {
	Reason string `json:"reason" minLength:"1" maxLength:"256" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"What is wrong." example:"half of the machines were gone"`
}

func (b *DisputeLease) check(c *checker) { c.text("reason", b.Reason) }

// ResolveDispute is the body of POST /v1/leases/{lease}/resolve.
type ResolveDispute struct {
	Credit corehour.Money `json:"credit,omitempty" doc:"What the provider's bond pays to the consumer, at most what the lease was charged; 0 if not given, which dismisses the dispute." example:"0.25"`
}

func (b *ResolveDispute) check(c *checker) {
	if b.Credit < 0 || b.Credit > corehour.MaxMoney {
		c.add(exchange.CodeOutOfRange, "credit", "expected 0 to %s", corehour.MaxMoney)
	}
}

func (s *Server) registerLeaseTroubles() {
	const tag = "leases"
	register(s, operation{
		id: "send-heartbeats", method: http.MethodPost, path: "/v1/leases/heartbeats", tag: tag,
		summary:     "Say that leases run",
		description: "The provider's word that these active leases run. Where the rules ask for heartbeats, a lease without them becomes suspect and then fails.",
		roles:       []Role{RoleProvider},
	}, s.sendHeartbeats)
	register(s, operation{
		id: "fail-lease", method: http.MethodPost, path: "/v1/leases/{lease}/fail", tag: tag,
		summary: "Fail a lease", description: "The provider's word that it cannot deliver, or not any more. What was used is billed; the rules say what the provider's bond pays.",
		roles: []Role{RoleProvider},
	}, func(ctx context.Context, c Caller, in *LeaseParam) (*leaseOutput, error) {
		return s.advanceLease(ctx, c, in.Lease.id, exchange.FailLease{Provider: c.Account, Lease: in.Lease.id})
	})
	register(s, operation{
		id: "interrupt-lease", method: http.MethodPost, path: "/v1/leases/{lease}/interrupt", tag: tag,
		summary: "Announce the interruption of a lease", description: "Of an interruptible lease, by its provider. It goes on until then; what was used is billed.",
		roles: []Role{RoleProvider},
	}, func(ctx context.Context, c Caller, in *struct {
		LeaseParam
		withBody[InterruptLease]
	}) (*leaseOutput, error) {
		return s.advanceLease(ctx, c, in.Lease.id, exchange.InterruptLease{Provider: c.Account, Lease: in.Lease.id, At: in.Body.value.At})
	})
	register(s, operation{
		id: "dispute-lease", method: http.MethodPost, path: "/v1/leases/{lease}/dispute", tag: tag,
		summary: "Dispute a lease", description: "Stops the settlement of a lease that has ended until an operator resolves it. Once for each lease.",
		roles: []Role{RoleConsumer},
	}, func(ctx context.Context, c Caller, in *struct {
		LeaseParam
		withBody[DisputeLease]
	}) (*leaseOutput, error) {
		return s.advanceLease(ctx, c, in.Lease.id, exchange.DisputeLease{Consumer: c.Account, Lease: in.Lease.id, Reason: in.Body.value.Reason})
	})
	register(s, operation{
		id: "resolve-dispute", method: http.MethodPost, path: "/v1/leases/{lease}/resolve", tag: tag,
		summary: "Resolve a dispute", description: "The lease is then settled as what it had ended as.",
		roles: []Role{RoleOperator},
	}, func(ctx context.Context, c Caller, in *struct {
		LeaseParam
		withBody[ResolveDispute]
	}) (*leaseOutput, error) {
		if _, err := s.lease(ctx, c, in.Lease.id); err != nil {
			return nil, err
		}
		return s.stepped(ctx, c, in.Lease.id, exchange.ResolveDispute{Lease: in.Lease.id, Credit: in.Body.value.Credit})
	})
}

func (s *Server) sendHeartbeats(ctx context.Context, c Caller, in *withBody[Heartbeats]) (*heardOutput, error) {
	reply, err := s.submit(ctx, exchange.LeaseHeartbeat{Provider: c.Account, Leases: in.Body.value.Leases})
	if err != nil {
		return nil, err
	}
	heard := Heard{NotRunning: reply.NotRunning}
	if heard.NotRunning == nil {
		heard.NotRunning = []corehour.LeaseID{}
	}
	return &heardOutput{Body: heard}, nil
}

func (s *Server) registerBonds() {
	const tag = "accounts"
	register(s, operation{
		id: "post-bond", method: http.MethodPost, path: "/v1/accounts/{account}/bond", tag: tag,
		summary: "Post a bond", description: "Moves available funds of the own account into its bond, once per reference. The bond pays for what the account fails to deliver.",
		roles: []Role{RoleProvider}, status: http.StatusCreated, responses: replayResponse(),
	}, func(ctx context.Context, c Caller, in *moveFundsInput) (*created[FundsMoved], error) {
		b := &in.Body.value
		return s.moveBond(ctx, c, in, exchange.PostBond{Account: in.Account, Amount: b.Amount, Reference: b.Reference})
	})
	register(s, operation{
		id: "release-bond", method: http.MethodPost, path: "/v1/accounts/{account}/bond/release", tag: tag,
		summary: "Release a bond", description: "Moves funds of the own account's bond back, once per reference, as far as what it delivers, or failed to deliver, does not need them.",
		roles: []Role{RoleProvider}, status: http.StatusCreated, responses: replayResponse(),
	}, func(ctx context.Context, c Caller, in *moveFundsInput) (*created[FundsMoved], error) {
		b := &in.Body.value
		return s.moveBond(ctx, c, in, exchange.ReleaseBond{Account: in.Account, Amount: b.Amount, Reference: b.Reference})
	})
}

// moveBond moves funds of the caller's own account.
func (s *Server) moveBond(ctx context.Context, c Caller, in *moveFundsInput, command exchange.Command) (*created[FundsMoved], error) {
	if in.Account != c.Account {
		return nil, notFound("account")
	}
	return s.moveFunds(ctx, in, command)
}

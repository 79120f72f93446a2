package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// SetLeaseRules is the body of PUT /v1/lease-rules. What is left out is off.
type SetLeaseRules struct {
	AcceptWithin       corehour.Seconds     `json:"accept_within_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"How long after its match a lease may wait to be accepted before it fails." example:"900"`
	StartWithin        corehour.Seconds     `json:"start_within_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"How long after its start a lease may wait to be started before it fails." example:"900"`
	HeartbeatEvery     corehour.Seconds     `json:"heartbeat_every_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"How often a provider is to send a heartbeat of each active lease." example:"30"`
	SuspectAfter       corehour.Seconds     `json:"suspect_after_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"The silence after which an active lease is suspect; at least heartbeat_every_seconds. Without it heartbeats are not asked for." example:"90"`
	FailAfter          corehour.Seconds     `json:"fail_after_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"The further silence after which a suspect lease fails; at least suspect_after_seconds. Without it none does." example:"300"`
	RecoverBeats       int                  `json:"recover_beats,omitempty" minimum:"0" maximum:"100" doc:"How many heartbeats in a row make a suspect lease healthy again." example:"3"`
	MassShare          corehour.BasisPoints `json:"mass_share_bps,omitempty" minimum:"0" maximum:"10000" doc:"While more than this share of all watched leases is suspect, none fails for its silence, in ten-thousandths." example:"5000"`
	MassLeast          int                  `json:"mass_least,omitempty" minimum:"0" maximum:"1000000" doc:"The fewest suspect leases for which mass_share_bps counts." example:"5"`
	OutageAfter        corehour.Seconds     `json:"outage_after_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"How late the exchange may carry out a deadline of a lease; where it was away for longer, the deadline begins again." example:"60"`
	InterruptionNotice corehour.Seconds     `json:"interruption_notice_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"How long before it an interruption is announced at the latest." example:"120"`
	Cover              bool                 `json:"cover,omitempty" doc:"Whether the exchange bids again for the hours that a failed firm lease does not deliver." example:"true"`
	CoverExtra         corehour.BasisPoints `json:"cover_extra_bps,omitempty" minimum:"0" maximum:"100000" doc:"By how much cover may exceed the consumer's limit, as far as the failed provider's bond pays for it, in ten-thousandths of that limit." example:"10000"`
	BondShare          corehour.BasisPoints `json:"bond_share_bps,omitempty" minimum:"0" maximum:"10000" doc:"What of the holds of a provider's running leases its bond may not fall below by a release, in ten-thousandths." example:"500"`
	CreditBasic        corehour.BasisPoints `json:"credit_basic_bps,omitempty" minimum:"0" maximum:"10000" doc:"What of the price of undelivered hours a failed lease of the basic tier pays back from the bond, in ten-thousandths." example:"0"`
	CreditStandard     corehour.BasisPoints `json:"credit_standard_bps,omitempty" minimum:"0" maximum:"10000" doc:"The same of the standard tier." example:"1000"`
	CreditPremium      corehour.BasisPoints `json:"credit_premium_bps,omitempty" minimum:"0" maximum:"10000" doc:"The same of the premium tier." example:"2500"`
}

func (b *SetLeaseRules) check(c *checker) {
	if b.SuspectAfter > 0 && b.SuspectAfter < b.HeartbeatEvery {
		c.add(exchange.CodeOutOfRange, "suspect_after_seconds", "expected at least heartbeat_every_seconds, which is %d", b.HeartbeatEvery)
	}
	if b.FailAfter > 0 && b.FailAfter < b.SuspectAfter {
		c.add(exchange.CodeOutOfRange, "fail_after_seconds", "expected at least suspect_after_seconds, which is %d", b.SuspectAfter)
	}
}

type oversightOutput struct {
	Body exchange.OversightView
}

func (s *Server) registerLeaseRules() {
	const tag = "leases"
	register(s, operation{
		id: "set-lease-rules", method: http.MethodPut, path: "/v1/lease-rules", tag: tag,
		summary: "Set the rules of leases",
		description: "Replaces all of them; what is left out is off. The deadlines to accept and to start hold for leases matched from then on, " +
			"everything else at once.",
		roles: []Role{RoleOperator},
	}, func(ctx context.Context, _ Caller, in *withBody[SetLeaseRules]) (*oversightOutput, error) {
		if _, err := s.submit(ctx, exchange.SetLeaseRules{Rules: corehour.LeaseRules(in.Body.value)}); err != nil {
			return nil, err
		}
		return s.oversight(ctx)
	})
	register(s, operation{
		id: "get-lease-rules", method: http.MethodGet, path: "/v1/lease-rules", tag: tag,
		summary:     "Read the rules of leases",
		description: "And how many leases are watched and suspect. While control_lost, no lease fails because its heartbeats are missing.",
	}, func(ctx context.Context, _ Caller, _ *struct{}) (*oversightOutput, error) {
		return s.oversight(ctx)
	})
}

func (s *Server) oversight(ctx context.Context) (*oversightOutput, error) {
	view, err := s.config.Exchange.Oversight(ctx)
	return &oversightOutput{Body: view}, err
}

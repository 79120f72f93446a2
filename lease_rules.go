package corehour

// Limits of the rules of leases.
const (
	// MaxRuleSeconds bounds each deadline at 31 days.
	MaxRuleSeconds Seconds = 31 * 24 * 3600
	// MaxRecoverBeats bounds how many heartbeats a suspect lease needs.
	MaxRecoverBeats = 100
	// MaxMassLeast bounds the count below which the mass guard stays quiet.
	MaxMassLeast = 1_000_000
	// MaxCoverExtra lets cover cost eleven times the price of what failed.
	MaxCoverExtra BasisPoints = 100_000
)

// LeaseRules are what the exchange asks of providers while leases live, and what
// happens where they do not do it. A zero switches its rule off, so that the zero
// value has no rules. docs/leases.md explains each.
type LeaseRules struct {
	// AcceptWithin is how long after its match a lease may wait to be accepted, and
	// StartWithin how long after its start to be started.
	AcceptWithin Seconds `json:"accept_within_seconds" cbor:"1,keyasint,omitempty"`
	StartWithin  Seconds `json:"start_within_seconds" cbor:"2,keyasint,omitempty"`

	// HeartbeatEvery is how often a provider is to say that an active lease runs. A
	// lease that was silent for SuspectAfter is suspect, and fails after FailAfter
	// more; RecoverBeats heartbeats in a row make it healthy again.
	HeartbeatEvery Seconds `json:"heartbeat_every_seconds" cbor:"3,keyasint,omitempty"`
	SuspectAfter   Seconds `json:"suspect_after_seconds" cbor:"4,keyasint,omitempty"`
	FailAfter      Seconds `json:"fail_after_seconds" cbor:"5,keyasint,omitempty"`
	RecoverBeats   int     `json:"recover_beats" cbor:"6,keyasint,omitempty"`

	// While more than MassShare of all watched leases are suspect, and at least
	// MassLeast, it is the control plane that is lost, and none fails for silence.
	MassShare BasisPoints `json:"mass_share_bps" cbor:"7,keyasint,omitempty"`
	MassLeast int         `json:"mass_least" cbor:"8,keyasint,omitempty"`
	// OutageAfter is how late the exchange may carry out a deadline of a lease. If
	// it is later, the exchange was away, nobody could be heard, and the deadline
	// begins again.
	OutageAfter Seconds `json:"outage_after_seconds" cbor:"9,keyasint,omitempty"`

	// InterruptionNotice is how long before it an interruption has to be announced.
	InterruptionNotice Seconds `json:"interruption_notice_seconds" cbor:"10,keyasint,omitempty"`

	// Cover bids again for the hours that a failed firm lease does not deliver. It
	// may cost up to CoverExtra more than the consumer's limit, which is for the
	// bond of the provider that failed.
	Cover      bool        `json:"cover" cbor:"11,keyasint,omitempty"`
	CoverExtra BasisPoints `json:"cover_extra_bps" cbor:"12,keyasint,omitempty"`

	// BondShare is what of the holds of a provider's running leases its bond may not
	// fall below by a release.
	BondShare BasisPoints `json:"bond_share_bps" cbor:"13,keyasint,omitempty"`
	// The credits are what of the price of undelivered hours a provider's bond pays
	// to the consumer when a lease of the tier fails.
	CreditBasic    BasisPoints `json:"credit_basic_bps" cbor:"14,keyasint,omitempty"`
	CreditStandard BasisPoints `json:"credit_standard_bps" cbor:"15,keyasint,omitempty"`
	CreditPremium  BasisPoints `json:"credit_premium_bps" cbor:"16,keyasint,omitempty"`
}

// StandardLeaseRules are those of a new exchange. Heartbeats are not asked for,
// because it takes agents that send them; 90, 300 and 3 are what a
// HeartbeatEvery of 30 goes well with.
func StandardLeaseRules() LeaseRules {
	return LeaseRules{
		AcceptWithin: 15 * 60, StartWithin: 15 * 60, HeartbeatEvery: 30, RecoverBeats: 3,
		MassShare: 5_000, MassLeast: 5, OutageAfter: 60, InterruptionNotice: 120,
		Cover: true, CoverExtra: WholeShare, CreditStandard: 1_000, CreditPremium: 2_500,
	}
}

// Credit is the share of the price of undelivered hours that a tier pays back.
func (r *LeaseRules) Credit(tier SLA) BasisPoints {
	switch tier {
	case SLAPremium:
		return r.CreditPremium
	case SLAStandard:
		return r.CreditStandard
	}
	return r.CreditBasic
}

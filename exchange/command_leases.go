package exchange

import "github.com/corehour/corehour"

// The commands of the life of a lease beyond its plain steps.
const (
	KindSetLeaseRules  Kind = 33
	KindLeaseHeartbeat Kind = 34
	KindFailLease      Kind = 35
	KindInterruptLease Kind = 36
	KindPostBond       Kind = 37
	KindReleaseBond    Kind = 38
	KindDisputeLease   Kind = 39
	KindResolveDispute Kind = 40
)

// MaxHeartbeats bounds the leases of one heartbeat.
const MaxHeartbeats = 4_096

// SetLeaseRules replaces the rules of leases. Deadlines that are fixed at a match
// hold for leases matched from then on, everything else at once.
type SetLeaseRules struct {
	Rules corehour.LeaseRules `cbor:"1,keyasint"`
}

// LeaseHeartbeat is the provider's word that these active leases run. Those that
// are not its active leases are in Reply.NotRunning; the others have been heard.
type LeaseHeartbeat struct {
	Provider corehour.AccountID `cbor:"1,keyasint"`
	Leases   []corehour.LeaseID `cbor:"2,keyasint"`
}

// FailLease is the provider's word that it cannot deliver, or not any more:
// matched, provisioning or active -> failed.
type FailLease struct {
	Provider corehour.AccountID `cbor:"1,keyasint"`
	Lease    corehour.LeaseID   `cbor:"2,keyasint"`
}

// InterruptLease announces that an interruptible lease ends as interrupted at a
// minute before its end, with the notice that the rules ask for.
type InterruptLease struct {
	Provider corehour.AccountID `cbor:"1,keyasint"`
	Lease    corehour.LeaseID   `cbor:"2,keyasint"`
	At       corehour.Minute    `cbor:"3,keyasint"`
}

// PostBond moves available funds of an account into its bond, once per Reference.
type PostBond struct {
	Account   corehour.AccountID `cbor:"1,keyasint"`
	Amount    corehour.Money     `cbor:"2,keyasint"`
	Reference string             `cbor:"3,keyasint"`
}

// ReleaseBond moves funds of a bond back, once per Reference, as far as what the
// account delivers, or failed to deliver, does not need them.
type ReleaseBond struct {
	Account   corehour.AccountID `cbor:"1,keyasint"`
	Amount    corehour.Money     `cbor:"2,keyasint"`
	Reference string             `cbor:"3,keyasint"`
}

// DisputeLease stops the settlement of a lease that has ended, once, until an
// operator resolves it.
type DisputeLease struct {
	Consumer corehour.AccountID `cbor:"1,keyasint"`
	Lease    corehour.LeaseID   `cbor:"2,keyasint"`
	Reason   string             `cbor:"3,keyasint"`
}

// ResolveDispute ends a dispute. Credit goes from the provider's bond to the
// consumer, at most what the lease was charged; zero dismisses the dispute.
type ResolveDispute struct {
	Lease  corehour.LeaseID `cbor:"1,keyasint"`
	Credit corehour.Money   `cbor:"2,keyasint,omitempty"`
}

func (SetLeaseRules) kind() Kind  { return KindSetLeaseRules }
func (LeaseHeartbeat) kind() Kind { return KindLeaseHeartbeat }
func (FailLease) kind() Kind      { return KindFailLease }
func (InterruptLease) kind() Kind { return KindInterruptLease }
func (PostBond) kind() Kind       { return KindPostBond }
func (ReleaseBond) kind() Kind    { return KindReleaseBond }
func (DisputeLease) kind() Kind   { return KindDisputeLease }
func (ResolveDispute) kind() Kind { return KindResolveDispute }

// leaseCommand is a command that knows which part of the state machine it is for.
type leaseCommand interface {
	Command
	execute(*State) Reply
}

func (c SetLeaseRules) execute(s *State) Reply  { return s.setLeaseRules(c) }
func (c LeaseHeartbeat) execute(s *State) Reply { return s.leaseHeartbeat(c) }
func (c FailLease) execute(s *State) Reply      { return s.failLease(c) }
func (c InterruptLease) execute(s *State) Reply { return s.interruptLease(c) }
func (c PostBond) execute(s *State) Reply       { return s.postBond(c) }
func (c ReleaseBond) execute(s *State) Reply    { return s.releaseBond(c) }
func (c DisputeLease) execute(s *State) Reply   { return s.disputeLease(c) }
func (c ResolveDispute) execute(s *State) Reply { return s.resolveDispute(c) }

// leaseDecoders read the bodies of these commands. It is never changed.
var leaseDecoders = map[Kind]func([]byte) (Command, error){
	KindSetLeaseRules:  decodeAs[SetLeaseRules],
	KindLeaseHeartbeat: decodeAs[LeaseHeartbeat],
	KindFailLease:      decodeAs[FailLease],
	KindInterruptLease: decodeAs[InterruptLease],
	KindPostBond:       decodeAs[PostBond],
	KindReleaseBond:    decodeAs[ReleaseBond],
	KindDisputeLease:   decodeAs[DisputeLease],
	KindResolveDispute: decodeAs[ResolveDispute],
}

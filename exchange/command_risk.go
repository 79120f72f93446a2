package exchange

import "github.com/corehour/corehour"

// SetCredit lets an account's available funds go below zero, by at most Limit.
// Zero makes it prepaid. A limit below what is used already is taken: then the
// account holds nothing more until it is back within it.
type SetCredit struct {
	Account corehour.AccountID `cbor:"1,keyasint"`
	Limit   corehour.Money     `cbor:"2,keyasint,omitempty"`
}

// SetLimits gives an account limits of its own, which replace those of the
// exchange as a whole; nil Limits are those of the exchange again. Without an
// Account they are those of the exchange, and nil is none. What is open stays.
type SetLimits struct {
	Account corehour.AccountID `cbor:"1,keyasint,omitempty"`
	Limits  *corehour.Limits   `cbor:"2,keyasint,omitempty"`
}

// Halt stops trading within its scope until Resume; leases go on, orders can be
// cancelled and expire.
//
//   - exchange, product: nothing matches, and orders are neither placed nor amended.
//     What rests keeps its place.
//   - account: it places nothing, and amends its orders to fewer units at most.
//   - provider: its offers are not for sale and keep their place; it places no other
//     offers, and amends them to fewer units at most.
//
// CancelOrders takes back the open orders of the scope, at most MaxCancelled of
// them at a time: Reply.More says that some are left, and the same command takes
// those. By is who asks; Operator says that it is the exchange, whose halt an
// account cannot end.
type Halt struct {
	Scope        corehour.HaltScope `cbor:"1,keyasint"`
	Name         string             `cbor:"2,keyasint,omitempty"`
	CancelOrders bool               `cbor:"3,keyasint,omitempty"`
	Reason       string             `cbor:"4,keyasint,omitempty"`
	By           corehour.AccountID `cbor:"5,keyasint"`
	Operator     bool               `cbor:"6,keyasint,omitempty"`
}

// Resume ends a halt. What came free meanwhile is offered to the resting bids.
type Resume struct {
	Scope    corehour.HaltScope `cbor:"1,keyasint"`
	Name     string             `cbor:"2,keyasint,omitempty"`
	Reason   string             `cbor:"3,keyasint,omitempty"`
	By       corehour.AccountID `cbor:"4,keyasint"`
	Operator bool               `cbor:"5,keyasint,omitempty"`
}

// OpenSession begins a session, in which orders can be placed. If no Heartbeat
// comes for Timeout, where that is not zero, the session is over and its open
// orders are taken back at that very instant. Opening it again with the same terms
// changes nothing and counts as a heartbeat.
type OpenSession struct {
	Account            corehour.AccountID `cbor:"1,keyasint"`
	Session            corehour.SessionID `cbor:"2,keyasint"`
	Timeout            corehour.Seconds   `cbor:"3,keyasint,omitempty"`
	CancelOnDisconnect bool               `cbor:"4,keyasint,omitempty"`
}

// Heartbeat says that the owner of a session is alive.
type Heartbeat struct {
	Account corehour.AccountID `cbor:"1,keyasint"`
	Session corehour.SessionID `cbor:"2,keyasint"`
}

// CloseSession ends a session, because its owner does or its connection is lost.
// Its open orders are taken back if it was opened with CancelOnDisconnect; else
// they stay in the book.
type CloseSession struct {
	Account corehour.AccountID `cbor:"1,keyasint"`
	Session corehour.SessionID `cbor:"2,keyasint"`
}

// Limits of sessions.
const (
	// MaxSessionTimeout bounds how long a session waits for a heartbeat.
	MaxSessionTimeout corehour.Seconds = 24 * 60 * 60
	// MaxSessionsOfAccount bounds the sessions of one account, MaxSessions those of
	// the exchange.
	MaxSessionsOfAccount = 64
	MaxSessions          = 100_000
	// MaxSessionOrders bounds the open orders of one session, so that its end, which
	// takes all of them back at once, is no more work than a CancelAll.
	MaxSessionOrders = MaxCancelled
)

func (SetCredit) kind() Kind    { return KindSetCredit }
func (SetLimits) kind() Kind    { return KindSetLimits }
func (Halt) kind() Kind         { return KindHalt }
func (Resume) kind() Kind       { return KindResume }
func (OpenSession) kind() Kind  { return KindOpenSession }
func (Heartbeat) kind() Kind    { return KindHeartbeat }
func (CloseSession) kind() Kind { return KindCloseSession }

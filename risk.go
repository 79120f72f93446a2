package corehour

import "fmt"

// Limits bound what one account may do. Zero is no limit.
type Limits struct {
	// OrderUnits is the most units of one order.
	OrderUnits Units `json:"order_units,omitzero" cbor:"1,keyasint,omitempty"`
	// OrderNotional is the most that one bid may cost: limit x units x duration.
	OrderNotional Money `json:"order_notional,omitzero" cbor:"2,keyasint,omitempty"`
	// OpenOrders is the most orders in the book at a time, bids and offers together.
	OpenOrders int64 `json:"open_orders,omitzero" cbor:"3,keyasint,omitempty"`
	// OrdersPerSecond is how fast the account's bucket of orders fills, and how many
	// it has room for.
	OrdersPerSecond int64 `json:"orders_per_second,omitzero" cbor:"4,keyasint,omitempty"`
	// PriceCollar is how far the price of an order may be from the last trade of
	// its product, as a share of that.
	PriceCollar BasisPoints `json:"price_collar_bps,omitzero" cbor:"5,keyasint,omitempty"`
	// SpendPerDay bounds what the leases matched in a UTC day hold at their match,
	// together with what open bids hold.
	SpendPerDay Money `json:"spend_per_day,omitzero" cbor:"6,keyasint,omitempty"`
}

// Limits of limits.
const (
	// MaxOrdersPerSecond keeps the bucket of orders within 64 bits.
	MaxOrdersPerSecond = 1_000_000
	// MaxOpenOrders is as many as an exchange has room for.
	MaxOpenOrders = 8_000_000
	// MaxPriceCollar is a hundred times the last price.
	MaxPriceCollar BasisPoints = 100 * WholeShare
)

// HaltScope says what a halt stops.
type HaltScope string

// The scopes of a halt.
const (
	HaltExchange HaltScope = "exchange" // no product trades
	HaltProduct  HaltScope = "product"  // a product does not trade
	HaltAccount  HaltScope = "account"  // an account places no orders
	HaltProvider HaltScope = "provider" // the offers of an account are not for sale
)

// UnmarshalText reads a scope's name.
func (s *HaltScope) UnmarshalText(b []byte) error {
	switch scope := HaltScope(b); scope {
	case HaltExchange, HaltProduct, HaltAccount, HaltProvider:
		*s = scope
		return nil
	}
	return fmt.Errorf("unknown scope %.40q", b)
}

// Halt is a stop of trading that is in force. Name is the product or the account,
// empty for the whole exchange; By is who asked for it, and Operator says that it
// was the exchange and not the account itself.
type Halt struct {
	Scope    HaltScope `json:"scope" cbor:"1,keyasint"`
	Name     string    `json:"name,omitempty" cbor:"2,keyasint,omitempty"`
	Reason   string    `json:"reason,omitempty" cbor:"3,keyasint,omitempty"`
	By       AccountID `json:"by" cbor:"4,keyasint"`
	Operator bool      `json:"operator,omitempty" cbor:"5,keyasint,omitempty"`
	At       Instant   `json:"at" cbor:"6,keyasint"`
}

// CreditSet is how far an account's available funds may go below zero.
type CreditSet struct {
	Account AccountID `json:"account"`
	Limit   Money     `json:"credit_limit"`
}

// LimitsSet are an account's own limits; absent Limits are those of the exchange
// again. Without an Account they are those of the exchange.
type LimitsSet struct {
	Account AccountID `json:"account,omitempty"`
	Limits  *Limits   `json:"limits,omitempty"`
}

// TradingResumed ends a halt: Reason, By and Operator are of who ended it.
type TradingResumed struct {
	Halt
}

// SessionOpened begins a session of an account. Orders that name it are taken back
// when no heartbeat came for the Timeout, where that is not zero, or when it is
// closed, where CancelOnDisconnect is set.
type SessionOpened struct {
	Account            AccountID `json:"account"`
	Session            SessionID `json:"session"`
	Timeout            Seconds   `json:"timeout_seconds"`
	CancelOnDisconnect bool      `json:"cancel_on_disconnect"`
}

// SessionEnd says why a session is over.
type SessionEnd string

// The ends of a session.
const (
	SessionClosedByOwner SessionEnd = "closed"    // its owner closed it, or lost the connection
	SessionTimedOut      SessionEnd = "timed_out" // no heartbeat came in time
)

// SessionClosed ends a session. Where Cancelled says so its open orders were taken
// back just before; else they stay, and are of no session.
type SessionClosed struct {
	Account   AccountID  `json:"account"`
	Session   SessionID  `json:"session"`
	Reason    SessionEnd `json:"reason"`
	Cancelled bool       `json:"cancelled"`
	Orders    int64      `json:"orders"` // how many were open
}

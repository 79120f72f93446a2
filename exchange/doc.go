// Package exchange is the core: commands go into a log, a deterministic state
// machine applies them, and a projector writes what happened into SQL.
//
// It owns the commands and their encoding, the log, the state (catalogue, grid
// zones and their intensity, accounts and their funds, open orders, unsettled
// leases, kept answers), the snapshots, the questions that are answered from the
// live state, and the SQL tables and outbox that are written from its events.
// It does not own how a bid meets an offer (orderbook), what a lease used
// (metering), or what that costs (billing): it only moves the money it is told
// to move, never more than a lease holds.
//
// The way of one command:
//
//	Submit ─► queue ─► append (one batch in flight, the next one gathers)
//	                     │ acknowledged by the log, so it is durable
//	                     ▼
//	                   apply ─► reply
//	                     ▼
//	                   project ─► events, outbox, (sequence, hash) in one SQL transaction
//
// What always holds: what was answered is in the log; applying the log again
// gives the same state, byte for byte; funds never fall below zero and held
// funds are what open bids and unsettled leases may still cost; the projection
// names the sequence and hash of the log that it stands at, and a log that does
// not lead there is refused.
package exchange

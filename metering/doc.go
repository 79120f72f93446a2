// Package metering takes in what leases really used.
//
// It owns: usage records and their integrity (who may report what, when and how
// much), the memory of every record id ever accepted, the sums per lease-hour,
// and the moment at which the usage of a lease is closed.
//
// It does not own: leases (it keeps what it needs of them, learnt from the
// exchange's events), prices, what usage costs (billing rates it), or whether
// usage was worth its price (disputes). It calls no other domain package.
//
// What time means: From, To and ended_at are instants that the provider or the
// exchange asserts; the clock passed in says only what the future is, when a
// record was received and when the grace for late usage is over. Lease-hours
// count from the lease's start, not from the wall clock's hours.
//
// What always holds:
//
//   - A record that was answered "accepted" is stored, counted in its
//     lease-hour and has exactly one metering.usage.accepted.v1 event, all in
//     one transaction that was durable before the answer.
//   - (provider, record id) is accepted at most once, forever. The same record
//     again is "repeated" and changes nothing; another one under its id is
//     rejected.
//   - The accepted sum of a lease-hour never exceeds what the lease's units can
//     physically use in the part of that hour that belonged to the lease when
//     the record was accepted.
//   - metering.usage.closed.v1 comes once for each lease, after all its usage;
//     no usage is accepted afterwards. Its totals are the sum of the events
//     before it.
//   - What a provider may not see it cannot tell from what does not exist.
//
// How that holds on several nodes: whoever takes in or closes usage first
// updates the provider's row in metering_providers. Every record and every
// lease belongs to one provider, so this one row lock orders all that could
// race (the same record twice, one id for two leases, usage against closing),
// and two holders of it never wait for one another in a circle.
package metering

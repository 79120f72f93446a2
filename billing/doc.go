// Package billing turns used capacity into money and documents.
//
// It owns: rating (what a lease-hour costs), the charges and settlements that it
// asks the exchange to post, the double-entry ledger in SQL, invoices for
// consumers, statements for providers, and their JSON and CSV form.
//
// It does not own: funds (they live in the exchange's state machine, which has
// the last word on every charge), leases (it keeps what it needs of them, learnt
// from the exchange's events) or usage (metering says what is accepted, once).
// It calls no other domain package; what it asks of the exchange stands in the
// interface Exchange.
//
// What time means: a lease-hour begins at the lease's start plus whole hours. A
// charge belongs to the UTC calendar month in which its lease-hour begins,
// whenever it was rated or posted. The clock passed in says only which months
// are over and when a document was issued.
//
// What always holds:
//
//   - The usage charges of a lease-hour add up to corehour.UsageCost of the
//     price and all of its accepted use, whatever the order, the split and the
//     batches in which the use arrived. With take-or-pay, all charges of an hour
//     of a completed lease add up to at least the agreed share.
//   - Which charges a lease has, and their numbers, depend only on the lease, its
//     end and the order of its records in metering's feed: never on batches, on
//     races between the two feeds, or on restarts.
//   - A charge is posted once: (lease, number) identifies it for the exchange.
//   - Every transaction of the ledger sums to zero and is never changed. A
//     participant's balance is what the exchange's state machine says.
//   - An invoice is final when it exists: it never changes, its number follows
//     the one before without a gap, and its total is the sum of its lines, which
//     is the sum of the posted charges that it names, to the nano-unit.
package billing

// Package log is the one durable, totally ordered record of commands.
//
// It owns the form of a batch and the chain of hashes that joins batches, the
// stream that keeps them (NATS JetStream, embedded or a cluster), the mark that a
// node keeps of what it has acknowledged, and files that a log is exported to. It
// knows nothing of what commands say or do.
//
// What always holds: a batch names the hash of the one before it and the number
// of commands before it, so whoever stands at a Position accepts exactly one
// batch as the next; an append is refused where the log has grown meanwhile; the
// mark never names a batch that the log has not acknowledged.
package log

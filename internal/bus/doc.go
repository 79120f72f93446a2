// Package bus carries facts from the package that established them to the
// packages that act on them.
//
// A producer writes its events into the outbox, in the transaction that makes
// them true (Append). The outbox is the durable, ordered, gapless feed of each
// producer. A relay per producer reads it and publishes on Watermill, in runs of
// consecutive events: by default on a channel of the process, whose publishing
// waits for the acknowledgement; with a Redis URL on Redis Streams, so that
// several nodes share the work.
//
// It owns the tables feeds, outbox and positions, and the goroutines between
// them. It does not own what events mean.
//
// What always holds:
//   - A consumer takes every event of its producers exactly once in effect, and
//     each producer's events in their order: the position is recorded in the
//     transaction of the effect, by compare-and-set. A repeat is skipped, a gap is
//     read again from the outbox.
//   - What travels on Watermill is a copy. Redis may lose, repeat, reorder or
//     forget all of it: consumers read the outbox when they start, whenever a
//     message does not fit, and after a Config.Poll that brought them nothing new.
//   - An event whose Take fails is tried again until it succeeds, and nothing
//     after it is taken before. Other consumers do not wait for it.
package bus

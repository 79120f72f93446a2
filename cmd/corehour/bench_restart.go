package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/corehour/corehour/exchange"
)

const (
	benchReplayCommands = 500_000
	benchOpenOrders     = 1_000_000
)

// measureReplay writes the mixed stream into a log, removes the snapshots, and
// opens the exchange again, which then has to apply all of it.
func (b *bench) measureReplay(ctx context.Context) error {
	dir, clock := b.scratch(scratchReplay), &manualClock{}
	b.say("%s: writing the log", keyReplay)
	commands, hash, err := b.writeMixedLog(ctx, dir, clock)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(snapshotsOf(dir)); err != nil {
		return err
	}
	runtime.GC()
	b.say("%s: opening it again", keyReplay)
	var e *engine
	began := time.Now()
	if err := b.profiled("replay", func() error { e, err = b.openEngine(ctx, dir, clock, nil); return err }); err != nil {
		return err
	}
	took := time.Since(began)
	if again, _ := e.StateHash(); again != hash {
		return errors.Join(errors.New("the replayed log led to another state"), e.close())
	}
	b.figures[keyReplay] = float64(commands) / took.Seconds()
	b.detail("replay_commands", commands, "replay: %s commands in %s s", figure(float64(commands)), figure(took.Seconds()))
	return e.close()
}

// writeMixedLog gives the number of commands in the log and the state that they
// led to.
func (b *bench) writeMixedLog(ctx context.Context, dir string, clock *manualClock) (commands int, hash exchange.Hash, err error) {
	e, err := b.openEngine(ctx, dir, clock, nil)
	if err != nil {
		return 0, hash, err
	}
	defer func() { err = firstError(err, e.close()) }()
	// Some are rejected, as in any market: the same ones again when the log is applied.
	f := &feeder{x: e.Exchange, answer: func(exchange.Reply) error { return nil }}
	take := func(s drawn) error {
		clock.advance(s.at)
		return f.feed(ctx, s.command)
	}
	source := newStream(newBenchMarket(b.size(benchAccounts)))
	if err := source.opening(b.size(benchOffers), b.size(benchBids), take); err != nil {
		return 0, hash, err
	}
	if err := source.mix(b.size(benchReplayCommands), take); err != nil {
		return 0, hash, err
	}
	if err := f.settle(ctx, 0); err != nil {
		return 0, hash, err
	}
	hash, _ = e.StateHash()
	if hash != source.state.Hash() {
		return 0, hash, errors.New("the exchange reached another state than the state machine by itself")
	}
	return f.sent, hash, caughtUp(ctx, e.Exchange)
}

// measureRestart places orders that rest, closes the exchange, which leaves a
// snapshot, and opens it again. What the heap has grown by is what they take.
func (b *bench) measureRestart(ctx context.Context) error {
	dir, clock := b.scratch(scratchRestart), &manualClock{}
	orders := b.size(benchOpenOrders)
	b.say("%s: placing %d orders", keyRestart, orders)
	if err := b.placeOpenOrders(ctx, dir, clock, orders); err != nil {
		return err
	}
	before := heapInUse()
	b.say("%s: opening it again", keyRestart)
	var e *engine
	var err error
	began := time.Now()
	if err := b.profiled("restart", func() error { e, err = b.openEngine(ctx, dir, clock, nil); return err }); err != nil {
		return err
	}
	took := time.Since(began)
	grown := heapInUse() - before
	if err := errors.Join(b.profileHeap("restart"), e.close()); err != nil {
		return err
	}
	b.figures[keyRestart] = took.Seconds()
	b.figures[keyBytes] = float64(grown) / float64(orders)
	b.detail("open_orders", orders, "restart and memory: %s open orders, half of them bids, all with client ids", figure(float64(orders)))
	return nil
}

// heapInUse is what the heap occupies once garbage is gone.
func heapInUse() uint64 {
	// The second collection frees what the first one only queued for finalizers.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func (b *bench) placeOpenOrders(ctx context.Context, dir string, clock *manualClock, orders int) (err error) {
	clock.advance(benchEpoch)
	e, err := b.openEngine(ctx, dir, clock, nil)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, e.close()) }()
	market := newBenchMarket(b.size(benchAccounts))
	f := &feeder{x: e.Exchange, answer: mustRest}
	for _, c := range market.setup() {
		if err := f.feed(ctx, c); err != nil {
			return err
		}
	}
	for i := range orders {
		var c exchange.Command = market.restingBid(benchEpoch)
		if i%2 == 1 {
			c = market.offer(benchEpoch)
		}
		if err := f.feed(ctx, c); err != nil {
			return err
		}
		if i > 0 && i%100_000 == 0 {
			b.say("%s: %d orders", keyRestart, i)
		}
	}
	if err := f.settle(ctx, 0); err != nil {
		return err
	}
	return caughtUp(ctx, e.Exchange)
}

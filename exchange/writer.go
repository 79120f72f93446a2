package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// writer is the first stage: it gathers commands into batches, appends them, and
// hands on, in order, what is in the log. It is the sequencer with a clock and a
// log; only its own goroutine touches it.
type writer struct {
	x     *Exchange
	order sequencer

	queue chan *Pending // nil once it is closed and empty
	// doubtful is set while an append has failed and it is not known what of the
	// flight is in the log.
	doubtful bool
	delay    time.Duration
	retry    *time.Timer
}

// ack is what became of an attempt to append.
type ack struct {
	batch   *outgoing
	attempt int
	err     error
}

// delivery is a batch that the follower has read.
type delivery struct {
	sequence uint64
	payload  []byte
}

func newWriter(x *Exchange, window int) *writer {
	w := &writer{x: x, queue: x.queue, delay: retryAppendMin, retry: time.NewTimer(time.Hour)}
	w.order = sequencer{writer: x.cfg.Writer, window: window, chain: x.chain, tail: x.at, latest: x.state.now}
	w.retry.Stop()
	return w
}

// run works until the queue is closed and all of it is in the log, or until it
// fails.
func (w *writer) run(ctx context.Context) {
	defer close(w.x.toMark)
	for w.queue != nil || !w.order.idle() {
		if err := w.step(ctx); err != nil {
			w.x.fail(err)
			w.refuse(err)
			return
		}
	}
}

// step appends what may be appended and takes in one thing that has happened.
func (w *writer) step(ctx context.Context) error {
	if err := w.x.failure(); err != nil {
		return err
	}
	w.appendAll(ctx)
	queue := w.queue
	if !w.order.room() {
		queue = nil
	}
	select {
	case p, ok := <-queue:
		w.gather(p, ok)
		return nil
	case a := <-w.x.acks:
		return w.acknowledged(ctx, a)
	case d := <-w.x.deliveries:
		return w.delivered(ctx, d.sequence, d.payload)
	case <-w.retry.C:
		return w.resolve(ctx)
	case <-ctx.Done():
		return errStopping
	}
}

// gather takes a command and what else has queued by now, up to a batch.
func (w *writer) gather(p *Pending, ok bool) {
	for {
		if !ok {
			w.queue = nil
			return
		}
		w.order.add(p)
		if !w.order.room() {
			return
		}
		select {
		case p, ok = <-w.queue:
		default:
			return
		}
	}
}

// appendAll appends what may be appended now.
func (w *writer) appendAll(ctx context.Context) {
	for !w.doubtful {
		batch := w.order.next()
		if batch == nil {
			return
		}
		w.append(ctx, batch)
	}
}

func (w *writer) append(ctx context.Context, batch *outgoing) {
	batch.attempt++
	attempt := batch.attempt
	w.x.disk.log.Append(batch.payload, batch.after.Sequence-1, func(err error) {
		select {
		case w.x.acks <- ack{batch: batch, attempt: attempt, err: err}:
		case <-ctx.Done():
		}
	})
}

func (w *writer) acknowledged(ctx context.Context, a ack) error {
	switch {
	case a.err == nil:
		w.delay = retryAppendMin
		return w.handOn(ctx, w.order.acknowledged(a.batch))
	case corehour.CodeOf(a.err) == CodeCorrupt, corehour.CodeOf(a.err) == log.CodeFailed:
		return a.err
	case a.attempt != a.batch.attempt || !w.order.inFlight(a.batch):
		return nil // it was appended again meanwhile, or its commands are in another batch
	}
	if !errors.Is(a.err, log.ErrMoved) {
		w.x.cfg.Logger.Warn("append failed", "sequence", a.batch.after.Sequence, "error", a.err)
	}
	if !w.doubtful {
		w.doubtful = true
		w.retry.Reset(w.delay)
		w.delay = min(2*w.delay, retryAppendMax)
	}
	return nil
}

// delivered takes a batch that was read from the log.
func (w *writer) delivered(ctx context.Context, sequence uint64, payload []byte) error {
	ready, err := w.order.delivered(sequence, payload)
	if err != nil {
		return err
	}
	if len(w.order.sent) == 0 {
		w.certain()
	}
	return w.handOn(ctx, ready)
}

// resolve finds out what of the flight is in the log, and appends the rest again.
func (w *writer) resolve(ctx context.Context) error {
	_, last, err := w.x.disk.log.Bounds(ctx)
	if err == nil {
		err = w.x.disk.log.Read(ctx, w.order.tail.Sequence+1, last, func(sequence uint64, payload []byte) error {
			return w.delivered(ctx, sequence, payload)
		})
	}
	if err != nil {
		if corehour.CodeOf(err) == CodeCorrupt || ctx.Err() != nil {
			return err
		}
		w.x.cfg.Logger.Warn("the log is away", "error", err)
		w.retry.Reset(w.delay)
		w.delay = min(2*w.delay, retryAppendMax)
		return nil
	}
	w.certain()
	for _, batch := range w.order.sent {
		if !batch.acked {
			w.append(ctx, batch)
		}
	}
	return nil
}

func (w *writer) certain() {
	w.doubtful = false
	w.retry.Stop()
}

// handOn gives batches to the next stage; it waits where that is behind.
func (w *writer) handOn(ctx context.Context, ready []appended) error {
	for _, next := range ready {
		select {
		case w.x.toMark <- next:
		case <-ctx.Done():
			answerAll(next.pending, errStopping)
			return errStopping
		}
	}
	return nil
}

// refuse answers what is not known to be in the log with the error, and so
// everything that comes until Close.
func (w *writer) refuse(err error) {
	answerAll(w.order.abandon(), err)
	if w.queue == nil {
		return
	}
	w.x.work.Go(func() {
		for p := range w.x.queue {
			p.answer(outcome{err: stopped(err)})
		}
	})
}

// follow reads the log as it grows, for a node that is not its only writer.
func (x *Exchange) follow(ctx context.Context, from uint64) {
	for delay := retryAppendMin; ctx.Err() == nil; {
		err := x.disk.log.Follow(ctx, from, func(sequence uint64, payload []byte) error {
			select {
			case x.deliveries <- delivery{sequence, payload}:
				from, delay = sequence+1, retryAppendMin
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if ctx.Err() == nil {
			x.cfg.Logger.Warn("the log cannot be followed", "from", from, "error", err)
			sleep(ctx, delay)
			delay = min(2*delay, retryAppendMax)
		}
	}
}

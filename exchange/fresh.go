package exchange

import (
	"context"
	"errors"
)

// current returns once this node knows everything that any node has answered
// before the call, or says why it cannot. A node that is the log's only writer
// always does. In a cluster only the log can tell: the reader waits for an append
// of this node, which succeeds only at the end of the log and with a majority of
// its servers. Where no command is on its way, the batch is empty.
//
// So a node that is cut off, or behind, answers that it is unavailable; it never
// shows what is not true any more.
func (x *Exchange) current(ctx context.Context) error {
	if err := x.failure(); err != nil {
		return stopped(err)
	}
	if x.cfg.Log.Embedded() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ReadWithin)
	defer cancel()
	p, err := x.enqueueReader(ctx)
	if err != nil {
		return err
	}
	select {
	case o := <-p.done:
		return o.err
	case <-ctx.Done():
		return unavailable("this node does not hear from the log", ctx.Err())
	}
}

// enqueueReader lets a reader wait for the end of the log.
func (x *Exchange) enqueueReader(ctx context.Context) (*Pending, error) {
	p := &Pending{done: make(chan outcome, 1)}
	return p, x.enqueue(ctx, p)
}

// read lets a question see the state when this node is current.
func (x *Exchange) read(ctx context.Context, question func(*State)) error {
	if err := x.current(ctx); err != nil {
		return err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	question(x.state)
	return nil
}

// Ready is nil while the exchange can take commands: nothing has failed for
// good, and the log answers.
func (x *Exchange) Ready(ctx context.Context) error {
	if err := errors.Join(x.failure(), x.projector.failure()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if !x.cfg.Log.Embedded() {
		return x.current(ctx)
	}
	_, _, err := x.disk.log.Bounds(ctx)
	return err
}

// StateHash is the hash of the state and the sequence of the log it stands at.
func (x *Exchange) StateHash() (Hash, uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.Hash(), x.at.Sequence
}

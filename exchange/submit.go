package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// SubmitAll hands commands to the log in their order and waits for all answers,
// one for each in the same order. They enter the queue one after the other
// without waiting in between, so that they share appends; each is carried out or
// rejected on its own, and others may come between them.
//
// A command that cannot be in the log is an error that says which one, and then
// none of them was sent. Any other error means that it is not known what became
// of some of them; sending all again is safe where each has a client id or
// reference.
func (x *Exchange) SubmitAll(ctx context.Context, commands []Command) ([]Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	prepared := make([]*Pending, len(commands))
	for i, cmd := range commands {
		p, err := x.prepare(cmd)
		if err != nil {
			return nil, numbered(err, i, len(commands))
		}
		prepared[i] = p
	}
	for sent, p := range prepared {
		if err := x.enqueue(ctx, p); err != nil {
			// Those that are on their way are waited for, so that the caller does not
			// go on while they still take effect.
			_, waited := waitAll(ctx, prepared[:sent])
			return nil, errors.Join(err, waited)
		}
	}
	return waitAll(ctx, prepared)
}

func waitAll(ctx context.Context, pending []*Pending) ([]Reply, error) {
	replies := make([]Reply, len(pending))
	for i, p := range pending {
		reply, err := p.Wait(ctx)
		if err != nil {
			return nil, err
		}
		replies[i] = reply
	}
	return replies, nil
}

// numbered says which of several commands an error is about.
func numbered(err error, i, of int) error {
	var e *corehour.Error
	if !errors.As(err, &e) {
		return err
	}
	about := *e
	about.Message = fmt.Sprintf("command %d of %d: %s", i+1, of, e.Message)
	return &about
}

// prepare encodes a command for the log; what cannot be in the log is refused.
func (x *Exchange) prepare(cmd Command) (*Pending, error) {
	decoded, body, err := readBack(cmd)
	switch {
	case len(body) > MaxCommandBytes:
		return nil, corehour.Errorf(corehour.KindTooLarge, "command_too_large", "a command has at most %d bytes", MaxCommandBytes)
	case err != nil:
		return nil, corehour.Errorf(corehour.KindInvalid, corehour.CodeInvalid, "the request holds text that is not UTF-8")
	}
	return &Pending{cmd: decoded, done: make(chan outcome, 1), entry: log.Entry{
		Kind: uint8(cmd.kind()), At: corehour.InstantOf(x.cfg.Clock.Now()), Body: body,
	}}, nil
}

func (x *Exchange) enqueue(ctx context.Context, p *Pending) error {
	x.admit.RLock()
	defer x.admit.RUnlock()
	if x.closed {
		return errStopping
	}
	if err := x.failure(); err != nil {
		return stopped(err)
	}
	select {
	case x.queue <- p:
		return nil
	case <-x.draining:
		return errStopping
	case <-ctx.Done():
		return unavailable("the exchange is busy", ctx.Err())
	}
}

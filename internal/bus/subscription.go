package bus

import (
	"context"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"
)

// subscription brings a carrier's messages to a follower and subscribes again
// when the carrier was lost.
type subscription struct {
	follower *follower
	carrier  carrier
	logger   *slog.Logger
	messages <-chan *message.Message
	cancel   context.CancelFunc
}

func newSubscription(b *Bus, f *follower, c carrier) *subscription {
	return &subscription{
		follower: f, carrier: c, cancel: func() {},
		logger: b.logger.With("consumer", f.consumer.Name, "producer", f.producer),
	}
}

// open subscribes once; messages stays nil where that failed.
func (s *subscription) open(ctx context.Context) {
	own, cancel := context.WithCancel(ctx)
	messages, err := s.carrier.subscribe(own, s.follower.consumer.Name, s.follower.producer)
	if err != nil {
		cancel()
		if ctx.Err() == nil {
			s.logger.Warn("bus: cannot subscribe; reading the outbox meanwhile", "error", err)
		}
		return
	}
	s.messages, s.cancel = messages, cancel
	// What was published while nobody listened will not come again.
	wake(s.follower.woken)
}

func (s *subscription) run(ctx context.Context) {
	delay := firstRetry
	for {
		if s.messages != nil {
			if s.forward(ctx) {
				delay = firstRetry
			}
			s.cancel()
			s.messages = nil
		}
		if !pause(ctx, delay) {
			return
		}
		delay = min(2*delay, maxRetry)
		s.open(ctx)
	}
}

// forward hands messages on until the channel closes. It reports whether there was one.
func (s *subscription) forward(ctx context.Context) bool {
	some := false
	for m := range s.messages {
		some = true
		events, err := s.carrier.events(m, s.follower.producer)
		if err != nil {
			// What is in it stands in the outbox too, if it is an event at all.
			s.logger.Error("bus: a message that cannot be read is dropped", "message", m.UUID, "error", err)
			m.Ack()
			wake(s.follower.woken)
			continue
		}
		select {
		case s.follower.messages <- delivery{events: events, trusted: s.carrier.trusted(), ack: func() { m.Ack() }}:
		case <-ctx.Done():
			m.Ack()
		}
	}
	return some
}

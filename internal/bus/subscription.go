package bus

import (
	"context"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// subscription brings a carrier's messages to a follower and subscribes again
// when that ended.
type subscription struct {
	follower *follower
	carrier  carrier
	logger   *slog.Logger
	poll     time.Duration
	messages <-chan *message.Message
	cancel   context.CancelFunc
}

func newSubscription(b *Bus, f *follower, c carrier) *subscription {
	return &subscription{
		follower: f, carrier: c, cancel: func() {}, poll: b.poll,
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
		if s.messages == nil {
			s.open(ctx)
		}
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
	}
}

// forward hands messages on until the channel closes or nothing can come through
// it any more. It reports whether a message came.
func (s *subscription) forward(ctx context.Context) bool {
	some := false
	check := time.NewTicker(s.poll)
	defer check.Stop()
	for {
		select {
		case <-check.C:
			if err := s.carrier.attached(ctx, s.follower.consumer.Name, s.follower.producer); err != nil {
				if ctx.Err() == nil {
					s.logger.Warn("bus: the subscription is lost; subscribing again", "error", err)
				}
				return some
			}
		case m, open := <-s.messages:
			if !open {
				return some
			}
			some = true
			s.deliver(ctx, m)
		}
	}
}

// deliver gives a message to the follower, which acknowledges it when it has
// taken it, or reads the outbox instead.
func (s *subscription) deliver(ctx context.Context, m *message.Message) {
	events, err := s.carrier.events(m, s.follower.producer)
	if err != nil {
		// What is in it stands in the outbox too, if it is an event at all.
		s.logger.Error("bus: a message that cannot be read is dropped", "message", m.UUID, "error", err)
		m.Ack()
		wake(s.follower.woken)
		return
	}
	select {
	case s.follower.messages <- delivery{events: events, trusted: s.carrier.inProcess(), ack: func() { m.Ack() }}:
	case <-ctx.Done():
		m.Ack()
	}
}

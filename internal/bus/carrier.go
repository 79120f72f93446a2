package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/redis/go-redis/v9"

	"github.com/corehour/corehour"
)

// MaxStreamMessages is the length that a stream in Redis is trimmed to. A
// consumer that falls further behind reads the outbox.
const MaxStreamMessages = 1_000

// messageVersion is the format of a message's payload on Redis.
const messageVersion = 1

// carrier is how messages travel: a pair of Watermill's publisher and subscriber.
type carrier interface {
	publish(ctx context.Context, producer corehour.Producer, events []corehour.Event) error
	// subscribe returns a channel that closes when ctx ends or the carrier loses
	// its connection.
	subscribe(ctx context.Context, consumer string, producer corehour.Producer) (<-chan *message.Message, error)
	// events reads a message of a producer: consecutive events, at least one.
	events(m *message.Message, producer corehour.Producer) ([]corehour.Event, error)
	// attached returns an error when messages can no longer reach a consumer's
	// subscription, without that having ended.
	attached(ctx context.Context, consumer string, producer corehour.Producer) error
	// inProcess says that messages come from this process only, so that they can
	// be believed, and that all must subscribe before the first is published.
	inProcess() bool
	close() error
}

func (b *Bus) newCarrier() (carrier, error) {
	logger := watermillLogger(b.logger)
	if b.redisURL == "" {
		return newChannelCarrier(logger), nil
	}
	return newRedisCarrier(b.redisURL, logger)
}

// watermillLogger turns Watermill's levels down by one: each message that finds
// nobody is worth an Info to it, and a Debug to us.
func watermillLogger(logger *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(logger, map[slog.Level]slog.Level{
		slog.LevelInfo:  slog.LevelDebug,
		slog.LevelError: slog.LevelWarn,
	})
}

func topic(producer corehour.Producer) string { return "corehour.bus." + string(producer) }

// channelCarrier is Watermill's channel within the process.
type channelCarrier struct{ channel *gochannel.GoChannel }

// eventsKey is where a message within the process carries its events: in its
// context, because writing and reading them as JSON cost more than all the rest.
type eventsKey struct{}

func newChannelCarrier(logger watermill.LoggerAdapter) *channelCarrier {
	return &channelCarrier{gochannel.NewGoChannel(gochannel.Config{
		// The relay goes on when all consumers have taken: it reads no further
		// ahead than one message.
		BlockPublishUntilSubscriberAck: true,
		PreserveContext:                true,
	}, logger)}
}

func (c *channelCarrier) publish(ctx context.Context, producer corehour.Producer, events []corehour.Event) error {
	m := message.NewMessage(watermill.NewUUID(), nil)
	m.SetContext(context.WithValue(ctx, eventsKey{}, events))
	return c.channel.Publish(topic(producer), m)
}

func (c *channelCarrier) subscribe(ctx context.Context, _ string, producer corehour.Producer) (<-chan *message.Message, error) {
	return c.channel.Subscribe(ctx, topic(producer))
}

func (c *channelCarrier) events(m *message.Message, _ corehour.Producer) ([]corehour.Event, error) {
	events, ok := m.Context().Value(eventsKey{}).([]corehour.Event)
	if !ok {
		return nil, errors.New("bus: a message without events")
	}
	return events, nil
}

func (c *channelCarrier) attached(context.Context, string, corehour.Producer) error { return nil }

func (c *channelCarrier) inProcess() bool { return true }

func (c *channelCarrier) close() error { return c.channel.Close() }

// redisCarrier is Redis Streams: one stream per producer, one group per consumer.
type redisCarrier struct {
	publisher *redisstream.Publisher
	// client is the subscribers'. The publisher has its own, because it closes it.
	client *redis.Client
	logger watermill.LoggerAdapter
	// node is this process's name in every group.
	node string
}

// redisMessage is the payload of a message.
type redisMessage struct {
	Version int              `json:"v"`
	Events  []corehour.Event `json:"events"`
}

func redisOptions(url string) (*redis.Options, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		// The library's message may repeat the URL and with it the password.
		return nil, &corehour.Error{
			Kind: corehour.KindInvalid, Code: corehour.CodeInvalid, Field: "REDIS_URL",
			Message: "is not a Redis URL; it looks like redis://:password@host:6379/0",
		}
	}
	return options, nil
}

func newRedisCarrier(url string, logger watermill.LoggerAdapter) (*redisCarrier, error) {
	options, err := redisOptions(url)
	if err != nil {
		return nil, err
	}
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client:        redis.NewClient(options),
		DefaultMaxlen: MaxStreamMessages,
	}, logger)
	if err != nil {
		return nil, fmt.Errorf("bus: redis: %w", err)
	}
	return &redisCarrier{publisher: publisher, client: redis.NewClient(options), logger: logger, node: watermill.NewUUID()}, nil
}

func (c *redisCarrier) publish(ctx context.Context, producer corehour.Producer, events []corehour.Event) error {
	payload, err := json.Marshal(redisMessage{Version: messageVersion, Events: events})
	if err != nil {
		return fmt.Errorf("bus: encode message: %w", err)
	}
	m := message.NewMessage(watermill.NewUUID(), payload)
	m.SetContext(ctx)
	return c.publisher.Publish(topic(producer), m)
}

// subscribe joins the consumer's group at the stream's end: what is older the
// consumer reads from the outbox. The subscriber is not closed but ends with ctx,
// because closing it would close the client.
func (c *redisCarrier) subscribe(ctx context.Context, consumer string, producer corehour.Producer) (<-chan *message.Message, error) {
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        c.client,
		Consumer:      c.node,
		ConsumerGroup: consumer,
		OldestId:      "$",
		// A wiped Redis has lost the group, which only a new subscription makes again.
		ShouldStopOnReadErrors:        func(error) bool { return true },
		DisableIndefiniteInitialBlock: true,
	}, c.logger)
	if err != nil {
		return nil, fmt.Errorf("bus: redis: %w", err)
	}
	return subscriber.Subscribe(ctx, topic(producer))
}

func (c *redisCarrier) events(m *message.Message, producer corehour.Producer) ([]corehour.Event, error) {
	var decoded redisMessage
	if err := json.Unmarshal(m.Payload, &decoded); err != nil {
		return nil, fmt.Errorf("bus: decode message: %w", err)
	}
	if decoded.Version != messageVersion {
		return nil, fmt.Errorf("bus: message of version %d", decoded.Version)
	}
	if len(decoded.Events) == 0 || len(decoded.Events) > corehour.MaxFeedEvents {
		return nil, fmt.Errorf("bus: message of %d events", len(decoded.Events))
	}
	for i := range decoded.Events {
		e := &decoded.Events[i]
		if e.Producer != producer || e.Sequence != decoded.Events[0].Sequence+int64(i) {
			return nil, fmt.Errorf("bus: message with event %s out of place", e.ID())
		}
	}
	return decoded.Events, nil
}

// attached asks for the consumer's group, which a wiped Redis has lost. Watermill
// notices that while it reads, but not while it claims what others left pending.
func (c *redisCarrier) attached(ctx context.Context, consumer string, producer corehour.Producer) error {
	return c.client.XInfoConsumers(ctx, topic(producer), consumer).Err()
}

// inProcess is no: what stands in Redis may come from another deployment, or from
// before this one's database was restored from a backup.
func (c *redisCarrier) inProcess() bool { return false }

func (c *redisCarrier) close() error {
	return errors.Join(c.publisher.Close(), c.client.Close())
}

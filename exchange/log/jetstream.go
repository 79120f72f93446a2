package log

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/corehour/corehour"
)

// Config says where the log is.
type Config struct {
	// Dir holds the embedded server's files. It is used where URL is empty.
	Dir string
	// URL names an external NATS server or cluster with JetStream, or several
	// servers with commas.
	URL string
	// Replicas is how many servers of a cluster keep each batch.
	Replicas int
	// Logger hears what the embedded server has to complain of; it may be nil.
	Logger *slog.Logger
	// MustExist refuses a log that is not there, instead of making it: whoever knows
	// of batches sets it.
	MustExist bool
	// OnlyThisServer keeps the connection to the servers of URL, where a cluster
	// would tell of others.
	OnlyThisServer bool
}

// Embedded reports whether the log is inside of this process, which then is its
// only writer.
func (c *Config) Embedded() bool { return c.URL == "" }

// JetStream is a log in a stream, of an embedded server or of a cluster.
// Sequences start at 1.
type JetStream struct {
	server *server.Server // nil where the log is in a cluster
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
}

// Names and limits of the stream.
const (
	streamName = "COREHOUR"
	subject    = "corehour.log"

	// embeddedMaxPayload leaves room for headers.
	embeddedMaxPayload = 1 << 20
	// maxUnacknowledged bounds the appends that wait for an answer.
	maxUnacknowledged = 64

	startTimeout  = 30 * time.Second
	appendTimeout = 10 * time.Second
	fetchTimeout  = 10 * time.Second
	lookAgain     = 250 * time.Millisecond
	dialTimeout   = 5 * time.Second
	// checkEvery is how often the embedded server is asked whether it can write,
	// while an append waits.
	checkEvery    = 200 * time.Millisecond
	reconnectWait = 250 * time.Millisecond
)

// ErrMoved says that somebody else appended first: the log is longer than the
// writer thought.
var ErrMoved = errors.New("the log has grown meanwhile")

// Open starts the embedded server or connects to the cluster, and makes the
// stream where there is none.
func Open(ctx context.Context, c Config) (*JetStream, error) {
	l := &JetStream{}
	if err := l.connect(c); err != nil {
		l.Close()
		return nil, err
	}
	if err := l.openStream(ctx, c); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *JetStream) connect(c Config) (err error) {
	if c.Embedded() {
		if l.server, err = startServer(c.Dir, c.Logger); err != nil {
			return err
		}
		if l.conn, err = nats.Connect("", nats.InProcessServer(l.server), nats.Name("corehour"), complain(c.Logger)); err != nil {
			return fmt.Errorf("embedded log: %w", err)
		}
	} else {
		options := []nats.Option{nats.Name("corehour"), nats.MaxReconnects(-1), nats.Timeout(dialTimeout), nats.ReconnectWait(reconnectWait),
			complain(c.Logger)}
		if c.OnlyThisServer {
			options = append(options, nats.IgnoreDiscoveredServers())
		}
		l.conn, err = nats.Connect(c.URL, options...)
		if err != nil {
			return unavailable("no connection to the log at NATS_URL", err)
		}
	}
	l.js, err = jetstream.New(l.conn, jetstream.WithPublishAsyncMaxPending(maxUnacknowledged),
		jetstream.WithPublishAsyncTimeout(appendTimeout))
	return err
}

// startServer starts a NATS server inside the process: no port, every append
// synced to disk before it is acknowledged.
func startServer(dir string, logger *slog.Logger) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "corehour", DontListen: true, JetStream: true, StoreDir: dir, SyncAlways: true,
		NoSigs: true, NoLog: true, MaxPayload: embeddedMaxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded log in %s: %w", dir, err)
	}
	if logger != nil {
		s.SetLoggerV2(&complaints{logger}, false, false, false)
	}
	s.Start()
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("embedded log in %s did not start within %s", dir, startTimeout)
	}
	return s, nil
}

func (l *JetStream) openStream(ctx context.Context, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	stream, err := l.js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) && c.MustExist {
		return Corrupt(1, "there is no log, but commands of it were acknowledged or projected: it is damaged or was removed, or this is another server")
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = l.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: streamName, Subjects: []string{subject}, Description: "Corehour: the log of commands",
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
			Replicas: max(c.Replicas, 1), DenyDelete: true, AllowDirect: true,
		})
	}
	if err != nil {
		return unavailable("the log's stream cannot be opened", err)
	}
	l.stream = stream
	return nil
}

// Bounds are the first and the last sequence that the log holds. Of an empty log
// last is first - 1.
func (l *JetStream) Bounds(ctx context.Context) (first, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	info, err := l.stream.Info(ctx)
	if err != nil {
		return 0, 0, unavailable("the log does not answer", err)
	}
	return max(info.State.FirstSeq, 1), info.State.LastSeq, nil
}

// Append sends a batch to stand right after previous and returns at once; done is
// called once, from another goroutine, when it is durably there (nil), refused
// (ErrMoved), or when nobody knows.
func (l *JetStream) Append(payload []byte, previous uint64, done func(error)) {
	message := nats.NewMsg(subject)
	message.Data = payload
	future, err := l.js.PublishMsgAsync(message, jetstream.WithExpectLastSequence(previous))
	if err != nil {
		go done(unavailable("the log cannot be reached", err))
		return
	}
	go func() { done(l.outcome(future, previous+1)) }()
}

// outcome waits for what became of an append.
func (l *JetStream) outcome(future jetstream.PubAckFuture, sequence uint64) error {
	var check <-chan time.Time
	if l.server != nil {
		ticker := time.NewTicker(checkEvery)
		defer ticker.Stop()
		check = ticker.C
	}
	for {
		select {
		case ack := <-future.Ok():
			if ack.Sequence != sequence {
				return Corrupt(sequence, fmt.Sprintf("the log acknowledged the batch as %d", ack.Sequence))
			}
			return nil
		case err := <-future.Err():
			var refused *jetstream.APIError
			if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
				return ErrMoved
			}
			return unavailable("the log did not acknowledge", err)
		case <-check:
			// A server that cannot write does not answer, and takes nothing more until
			// it is started again.
			if health := l.server.Healthz(nil); health.Error != "" {
				return &corehour.Error{
					Kind: corehour.KindUnavailable, Code: CodeFailed, Message: "the log cannot be written", Err: errors.New(health.Error),
				}
			}
		}
	}
}

// CodeFailed says that the embedded log cannot be written, such as on a full disk.
// It works again after a start, once the cause is gone.
const CodeFailed corehour.Code = "log_failed"

// At reads one batch.
func (l *JetStream) At(ctx context.Context, sequence uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	msg, err := l.stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, Corrupt(sequence, "the batch is missing from the log")
	}
	if err != nil {
		return nil, unavailable(fmt.Sprintf("batch %d cannot be read", sequence), err)
	}
	return msg.Data, nil
}

// Read yields the batches from a sequence up to another, in order, and fails on
// the first that is missing.
func (l *JetStream) Read(ctx context.Context, from, to uint64, each func(sequence uint64, payload []byte) error) error {
	if from > to {
		return nil
	}
	messages, err := l.messages(ctx, from)
	if err != nil {
		return err
	}
	defer messages.Stop()
	for next := from; next <= to; next++ {
		msg, err := l.next(ctx, messages, next)
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("batch %d: %w", next, err)
		}
		if meta.Sequence.Stream != next {
			return Corrupt(next, fmt.Sprintf("the batch is missing from the log, the next one is %d", meta.Sequence.Stream))
		}
		if err := each(next, msg.Data()); err != nil {
			return err
		}
	}
	return nil
}

// next waits for the next message. Where none comes the batch itself is asked for:
// one whose frame is damaged is never delivered, and is named so.
func (l *JetStream) next(ctx context.Context, messages jetstream.MessagesContext, sequence uint64) (jetstream.Msg, error) {
	for waited := time.Duration(0); ; waited += lookAgain {
		msg, err := messages.Next(jetstream.NextMaxWait(lookAgain))
		if err == nil {
			return msg, nil
		}
		if _, err := l.At(ctx, sequence); err != nil {
			return nil, err
		}
		if waited > fetchTimeout || !errors.Is(err, nats.ErrTimeout) {
			return nil, unavailable(fmt.Sprintf("batch %d cannot be read", sequence), err)
		}
	}
}

// Follow yields the batches from a sequence on as they are appended, by whomever,
// until the context ends or each fails. It waits out times in which the cluster
// is away.
func (l *JetStream) Follow(ctx context.Context, from uint64, each func(sequence uint64, payload []byte) error) error {
	messages, err := l.messages(ctx, from)
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return unavailable("the log cannot be followed", err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		if err := each(meta.Sequence.Stream, msg.Data()); err != nil {
			return err
		}
	}
}

func (l *JetStream) messages(ctx context.Context, from uint64) (jetstream.MessagesContext, error) {
	consumer, err := l.js.OrderedConsumer(ctx, streamName, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
	})
	if err != nil {
		return nil, unavailable("the log cannot be read", err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(512))
	if err != nil {
		return nil, unavailable("the log cannot be read", err)
	}
	return messages, nil
}

// Purge removes the batches before a sequence. Whoever calls it has kept them
// elsewhere, or does not need them any more.
func (l *JetStream) Purge(ctx context.Context, before uint64) error {
	if err := l.stream.Purge(ctx, jetstream.WithPurgeSequence(before)); err != nil {
		return unavailable("the log cannot be purged", err)
	}
	return nil
}

// Close ends the connection and the embedded server.
func (l *JetStream) Close() {
	if l.conn != nil {
		l.conn.Close()
	}
	if l.server != nil {
		l.server.Shutdown()
		l.server.WaitForShutdown()
	}
}

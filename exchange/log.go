package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/corehour/corehour"
)

// log is the one durable, totally ordered record of commands: a JetStream
// stream, in an embedded server or in a cluster. Sequences start at 1.
type log struct {
	server *server.Server // nil where the log is in a cluster
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
}

// Names and limits of the log.
const (
	streamName = "COREHOUR"
	subject    = "corehour.log"

	// maxBatchBytes bounds one message of the log. NATS refuses more than a
	// megabyte unless told otherwise.
	maxBatchBytes = 768 << 10

	// embeddedMaxPayload leaves room for headers.
	embeddedMaxPayload = 1 << 20

	startTimeout  = 30 * time.Second
	appendTimeout = 10 * time.Second
	fetchTimeout  = 10 * time.Second
)

// errMoved says that somebody else appended first: the log is longer than the
// writer thought.
var errMoved = errors.New("the log has grown meanwhile")

// LogConfig says where the log is.
type LogConfig struct {
	// Dir holds the embedded server's files. It is used where URL is empty.
	Dir string
	// URL names an external NATS server or cluster with JetStream.
	URL string
	// Replicas is how many servers of a cluster keep each message.
	Replicas int
}

func openLog(ctx context.Context, c LogConfig) (*log, error) {
	l := &log{}
	if err := l.connect(c); err != nil {
		l.close()
		return nil, err
	}
	if err := l.openStream(ctx, c); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *log) connect(c LogConfig) (err error) {
	if c.URL != "" {
		l.conn, err = nats.Connect(c.URL, nats.Name("corehour"), nats.MaxReconnects(-1), nats.Timeout(5*time.Second))
		if err != nil {
			return unavailable("no connection to the log at NATS_URL", err)
		}
	} else {
		if l.server, err = startServer(c.Dir); err != nil {
			return err
		}
		if l.conn, err = nats.Connect("", nats.InProcessServer(l.server), nats.Name("corehour")); err != nil {
			return fmt.Errorf("embedded log: %w", err)
		}
	}
	l.js, err = jetstream.New(l.conn)
	return err
}

// startServer starts a NATS server inside the process: no port, every append
// synced to disk before it is acknowledged.
func startServer(dir string) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "corehour", DontListen: true, JetStream: true, StoreDir: dir, SyncAlways: true,
		NoSigs: true, NoLog: true, MaxPayload: embeddedMaxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded log in %s: %w", dir, err)
	}
	s.Start()
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("embedded log in %s did not start within %s", dir, startTimeout)
	}
	return s, nil
}

func (l *log) openStream(ctx context.Context, c LogConfig) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	stream, err := l.js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = l.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: streamName, Subjects: []string{subject}, Description: "Corehour: the log of commands",
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
			Replicas: max(c.Replicas, 1), DenyDelete: true, DenyPurge: true, AllowDirect: true,
		})
	}
	if err != nil {
		return unavailable("the log's stream cannot be opened", err)
	}
	l.stream = stream
	return nil
}

func unavailable(message string, err error) error {
	return &corehour.Error{Kind: corehour.KindUnavailable, Code: corehour.CodeUnavailable, Message: message, Err: err}
}

// last is the sequence of the newest batch, zero for an empty log.
func (l *log) last(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	info, err := l.stream.Info(ctx)
	if err != nil {
		return 0, unavailable("the log does not answer", err)
	}
	return info.State.LastSeq, nil
}

// append adds a batch as the one after previous, durably. errMoved means that
// another batch stands there; any other error leaves open whether it was added.
func (l *log) append(ctx context.Context, payload []byte, previous uint64) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	ack, err := l.js.Publish(ctx, subject, payload, jetstream.WithExpectLastSequence(previous))
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return errMoved
	}
	if err != nil {
		return unavailable("the log did not acknowledge", err)
	}
	if ack.Sequence != previous+1 {
		return fmt.Errorf("the log acknowledged sequence %d where %d was expected", ack.Sequence, previous+1)
	}
	return nil
}

// at reads one batch.
func (l *log) at(ctx context.Context, sequence uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	msg, err := l.stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, corrupt(sequence, "the batch is missing from the log")
	}
	if err != nil {
		return nil, unavailable(fmt.Sprintf("batch %d cannot be read", sequence), err)
	}
	return msg.Data, nil
}

// read yields the batches from a sequence up to another, in order, and fails on
// the first that is missing.
func (l *log) read(ctx context.Context, from, to uint64, each func(sequence uint64, payload []byte) error) error {
	if from > to {
		return nil
	}
	consumer, err := l.js.OrderedConsumer(ctx, streamName, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
	})
	if err != nil {
		return unavailable("the log cannot be read", err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(512))
	if err != nil {
		return unavailable("the log cannot be read", err)
	}
	defer messages.Stop()
	for next := from; next <= to; next++ {
		msg, err := messages.Next(jetstream.NextMaxWait(fetchTimeout))
		if err != nil {
			return unavailable(fmt.Sprintf("batch %d cannot be read", next), err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("batch %d: %w", next, err)
		}
		if meta.Sequence.Stream != next {
			return corrupt(next, fmt.Sprintf("the batch is missing from the log, the next one is %d", meta.Sequence.Stream))
		}
		if err := each(next, msg.Data()); err != nil {
			return err
		}
	}
	return nil
}

// CodeCorrupt says that the log, a snapshot or the projection is not what was
// written. The node refuses to run.
const CodeCorrupt corehour.Code = "log_corrupt"

func corrupt(sequence uint64, message string) error {
	return corehour.Errorf(corehour.KindInternal, CodeCorrupt, "log sequence %d: %s", sequence, message)
}

func (l *log) close() {
	if l.conn != nil {
		l.conn.Close()
	}
	if l.server != nil {
		l.server.Shutdown()
		l.server.WaitForShutdown()
	}
}

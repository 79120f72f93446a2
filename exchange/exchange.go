package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

// Config is what an exchange needs.
type Config struct {
	Log LogConfig
	// SnapshotDir holds snapshots of the state.
	SnapshotDir string
	DB          *database.DB
	Clock       corehour.Clock
	// Writer names this node in the batches that it appends.
	Writer string
	Logger *slog.Logger
	// Projected is called with events that were just committed to the outbox. It
	// must not block.
	Projected func(events []corehour.Event)
	// TickEvery is how often deadlines are looked at where nothing else happens;
	// zero leaves time to the commands.
	TickEvery time.Duration
	// DrainWithin bounds how long Close waits for the log and the database;
	// zero is DefaultDrain.
	DrainWithin time.Duration
}

// Limits of the engine.
const (
	// MaxBatchCommands bounds one append; the queue holds as many again.
	MaxBatchCommands = 4096
	// MaxCommandBytes bounds one encoded command.
	MaxCommandBytes = 64 << 10

	// AnswerWithin bounds how long Submit waits for an answer, and ReadWithin how
	// long a read waits for the projection. Past them the caller hears that the
	// exchange is unavailable.
	AnswerWithin = 20 * time.Second
	ReadWithin   = 10 * time.Second
	// DefaultDrain bounds how long Close waits for the log and the database.
	DefaultDrain = 20 * time.Second

	readyWithin     = 2 * time.Second
	appliedBatches  = 64      // batches between the appender and the applier, and on to the projector
	snapshotEvery   = 200_000 // commands
	retryAppendFrom = 50 * time.Millisecond
	retryAppendTo   = 2 * time.Second
)

// Exchange is one node: it appends commands, applies the log and answers.
type Exchange struct {
	cfg       Config
	log       *log
	projector *projector

	mu        sync.RWMutex // guards state
	state     *State
	questions turns

	sequence uint64 // of the newest applied batch; owned by the applier
	chain    Hash
	applied  atomic.Uint64

	queue    chan *Pending
	toApply  chan appended
	draining chan struct{} // closed when no more commands are taken
	admit    sync.RWMutex  // held for reading while a command enters the queue
	closed   bool
	failed   atomic.Pointer[error]
	work     sync.WaitGroup
	stop     context.CancelFunc
}

// Pending is a command on its way.
type Pending struct {
	entry entry
	cmd   Command
	done  chan outcome
}

type outcome struct {
	reply Reply
	err   error
}

// appended is a batch that the log has acknowledged.
type appended struct {
	sequence uint64
	hash     Hash
	pending  []*Pending // nil where another node wrote it
	payload  []byte
}

// Open connects to the log, checks that log, snapshot and projection belong
// together, brings the state up to the end of the log, and starts to work.
func Open(ctx context.Context, c Config) (*Exchange, error) {
	if c.DB == nil || c.Clock == nil || c.SnapshotDir == "" || c.Log.Dir == "" && c.Log.URL == "" {
		return nil, errors.New("exchange: config needs a database, a clock, a snapshot directory and a log")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Projected == nil {
		c.Projected = func([]corehour.Event) {}
	}
	if c.DrainWithin == 0 {
		c.DrainWithin = DefaultDrain
	}
	if err := migrate(ctx, c.DB); err != nil {
		return nil, err
	}
	l, err := openLog(ctx, c.Log)
	if err != nil {
		return nil, err
	}
	x := &Exchange{
		cfg: c, log: l, queue: make(chan *Pending, MaxBatchCommands), questions: newTurns(),
		toApply: make(chan appended, appliedBatches), draining: make(chan struct{}),
	}
	if err := x.recover(ctx); err != nil {
		l.close()
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	x.stop = stop
	x.work.Go(func() { x.projector.run(run) })
	x.work.Go(func() { x.applyLoop() })
	x.work.Go(func() { x.appendLoop(run, x.sequence, x.chain) })
	if c.TickEvery > 0 {
		x.work.Go(func() { x.tickLoop(run) })
	}
	return x, nil
}

// Submit hands a command to the log and waits for the state machine's answer.
// A rejection is a Reply with a Code. An error means that the exchange cannot
// say what became of the command; sending it again with the same client id or
// reference is safe.
func (x *Exchange) Submit(ctx context.Context, cmd Command) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	p, err := x.Enqueue(ctx, cmd)
	if err != nil {
		return Reply{}, err
	}
	return p.Wait(ctx)
}

// Enqueue hands a command to the log without waiting for the answer. Commands
// that one goroutine enqueues are applied in that order.
func (x *Exchange) Enqueue(ctx context.Context, cmd Command) (*Pending, error) {
	p, err := x.prepare(cmd)
	if err != nil {
		return nil, err
	}
	if err := x.enqueue(ctx, p); err != nil {
		return nil, err
	}
	return p, nil
}

var errStopping = corehour.Errorf(corehour.KindUnavailable, corehour.CodeUnavailable, "the exchange is stopping")

// Wait waits for the answer.
func (p *Pending) Wait(ctx context.Context) (Reply, error) {
	select {
	case o := <-p.done:
		return o.reply, o.err
	case <-ctx.Done():
		return Reply{}, unavailable("no answer in time; the command may still take effect", ctx.Err())
	}
}

// appendLoop is the sequencer: it gathers what has queued, appends it as one
// batch, and gathers again while the append is in flight. It keeps the end of
// the log in its own variables, because the applier may be behind.
func (x *Exchange) appendLoop(ctx context.Context, sequence uint64, chain Hash) {
	defer close(x.toApply)
	var latest corehour.Instant
	for {
		pending := x.gather()
		if pending == nil {
			return
		}
		if err := x.failure(); err != nil {
			answer(pending, outcome{err: err})
			continue
		}
		for _, p := range pending {
			latest = max(latest, p.entry.At)
			p.entry.At = latest
		}
		for delay := retryAppendFrom; ; delay = min(2*delay, retryAppendTo) {
			payload := x.encodeBatch(chain, pending)
			err := x.log.append(ctx, payload, sequence)
			if err == nil {
				sequence, chain = sequence+1, sha256.Sum256(payload)
				x.toApply <- appended{sequence: sequence, hash: chain, pending: pending, payload: payload}
				break
			}
			x.cfg.Logger.Warn("append failed", "sequence", sequence+1, "error", err)
			own := Hash(sha256.Sum256(payload))
			found, err := x.catchUp(ctx, &sequence, &chain, own, pending)
			if found {
				break
			}
			if err != nil {
				x.cfg.Logger.Error("the log cannot be followed", "error", err)
				if corehour.CodeOf(err) == CodeCorrupt || ctx.Err() != nil {
					x.fail(err, pending)
					return
				}
			}
			if !sleep(ctx, delay) {
				x.fail(errStopping, pending)
				return
			}
		}
	}
}

// catchUp hands on what the log holds beyond the writer's sequence. Where one of
// those is the writer's own batch (its acknowledgement was lost) it says so.
func (x *Exchange) catchUp(ctx context.Context, sequence *uint64, chain *Hash, own Hash, pending []*Pending) (found bool, err error) {
	last, err := x.log.last(ctx)
	if err != nil {
		return false, err
	}
	err = x.log.read(ctx, *sequence+1, last, func(seq uint64, payload []byte) error {
		hash := Hash(sha256.Sum256(payload))
		b, err := decodeBatch(payload)
		if err != nil || b.Previous != *chain {
			return corrupt(seq, "the batch does not follow the one before it")
		}
		next := appended{sequence: seq, hash: hash, payload: payload}
		if hash == own {
			next.pending, found = pending, true
		}
		*sequence, *chain = seq, hash
		x.toApply <- next
		return nil
	})
	return found, err
}

func (x *Exchange) encodeBatch(previous Hash, pending []*Pending) []byte {
	b := batch{Version: batchVersion, Writer: x.cfg.Writer, Previous: previous, Entries: make([]entry, len(pending))}
	for i, p := range pending {
		b.Entries[i] = p.entry
	}
	return marshal(&b)
}

// gather waits for a command and takes what else has queued by then, up to the
// limits of a batch; nil means that the exchange has drained.
func (x *Exchange) gather() []*Pending {
	first, ok := <-x.queue
	if !ok {
		return nil
	}
	pending, bytes := []*Pending{first}, len(first.entry.Body)
	for len(pending) < MaxBatchCommands && bytes < maxBatchBytes-MaxCommandBytes {
		select {
		case p, ok := <-x.queue:
			if !ok {
				return pending
			}
			pending = append(pending, p)
			bytes += len(p.entry.Body) + 16
		default:
			return pending
		}
	}
	return pending
}

// applyLoop applies what the log has acknowledged, answers, and hands the events
// to the projector.
func (x *Exchange) applyLoop() {
	defer x.projector.finish()
	sinceSnapshot := 0
	for next := range x.toApply {
		if x.failure() != nil {
			answer(next.pending, outcome{err: x.failure()})
			continue
		}
		replies, events, err := x.applyBatch(next)
		if err != nil {
			x.fail(err, next.pending)
			continue
		}
		x.projector.feed(projection{sequence: next.sequence, hash: next.hash, events: events})
		for i, p := range next.pending {
			p.done <- outcome{reply: replies[i]}
		}
		if sinceSnapshot += len(replies); sinceSnapshot >= snapshotEvery {
			sinceSnapshot = 0
			if err := x.snapshot(); err != nil {
				x.cfg.Logger.Error("no snapshot was written", "error", err)
			}
		}
	}
}

func (x *Exchange) applyBatch(next appended) ([]Reply, []pendingEvent, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var replies []Reply
	var events []pendingEvent
	if next.pending != nil {
		replies = make([]Reply, len(next.pending))
		for i, p := range next.pending {
			replies[i] = x.state.apply(p.entry.At, p.cmd, p.entry.Body)
			events = append(events, x.state.events...)
		}
	} else {
		b, err := decodeBatch(next.payload)
		if err != nil {
			return nil, nil, corrupt(next.sequence, err.Error())
		}
		if events, err = x.state.applyEntries(b.Entries); err != nil {
			return nil, nil, corrupt(next.sequence, err.Error())
		}
	}
	x.sequence, x.chain = next.sequence, next.hash
	x.applied.Store(next.sequence)
	return replies, events, nil
}

// applyEntries applies commands as they stand in the log.
func (s *State) applyEntries(entries []entry) ([]pendingEvent, error) {
	var events []pendingEvent
	for _, e := range entries {
		cmd, err := decodeCommand(e.Kind, e.Body)
		if err != nil {
			return nil, err
		}
		s.apply(e.At, cmd, e.Body)
		events = append(events, s.events...)
	}
	return events, nil
}

// fail ends service: what is not known to be in the log is answered with the
// error, and so is everything after it.
func (x *Exchange) fail(err error, pending []*Pending) {
	answer(pending, outcome{err: err})
	if !x.failed.CompareAndSwap(nil, &err) {
		return
	}
	x.cfg.Logger.Error("the exchange has stopped", "error", err)
	x.work.Go(func() { // empties the queue until Close, so that nobody waits for an answer
		for p := range x.queue {
			answer([]*Pending{p}, outcome{err: err})
		}
	})
}

func answer(pending []*Pending, o outcome) {
	for _, p := range pending {
		select {
		case p.done <- o:
		default: // answered before the failure
		}
	}
}

func (x *Exchange) failure() error {
	if err := x.failed.Load(); err != nil {
		return *err
	}
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
	_, err := x.log.last(ctx)
	return err
}

// tickLoop lets time pass where nobody sends a command.
func (x *Exchange) tickLoop(ctx context.Context) {
	ticker := time.NewTicker(x.cfg.TickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-x.draining:
			return
		}
		x.mu.RLock()
		next, some := x.state.NextDeadline()
		x.mu.RUnlock()
		if !some || next > corehour.InstantOf(x.cfg.Clock.Now()) {
			continue
		}
		if _, err := x.Submit(ctx, Tick{}); err != nil && !errors.Is(err, errStopping) {
			x.cfg.Logger.Warn("time could not pass", "error", err)
		}
	}
}

// Close takes no more commands, finishes those it has, brings the projection to
// the end of the log, writes a snapshot and closes the log. Where the log or the
// database does not let it within Config.DrainWithin, it gives up with an error: what
// was answered is in the log, and the next start goes on from there.
func (x *Exchange) Close() error {
	close(x.draining)
	x.admit.Lock()
	x.closed = true
	close(x.queue)
	x.admit.Unlock()
	giveUp := time.AfterFunc(x.cfg.DrainWithin, x.stop)
	x.work.Wait()
	giveUp.Stop()
	x.stop()
	err := errors.Join(x.failure(), x.projector.failure())
	if err == nil {
		err = x.snapshot()
	}
	x.log.close()
	return err
}

// snapshot writes the state as of the newest applied batch. Only the applier,
// or nobody else after it has ended, may call it.
func (x *Exchange) snapshot() error {
	return writeSnapshot(x.cfg.SnapshotDir, snapshot{
		Version: snapshotVersion, Sequence: x.sequence, Chain: x.chain, State: x.state.encode(),
	})
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// StateHash is the hash of the state and the sequence of the log it stands at.
func (x *Exchange) StateHash() (Hash, uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.Hash(), x.applied.Load()
}

// String writes the hash in hexadecimal.
func (h Hash) String() string { return fmt.Sprintf("%x", h[:]) }

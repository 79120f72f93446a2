package exchange

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/database"
)

// Config is what an exchange needs.
type Config struct {
	Log log.Config
	// MarkFile is where the node keeps what it has acknowledged (log.Mark).
	MarkFile string
	// SnapshotDir holds snapshots of the state.
	SnapshotDir string
	DB          *database.DB
	Clock       corehour.Clock
	// Writer names this node in the batches that it appends. No two processes may
	// have the same name at a time.
	Writer string
	Logger *slog.Logger
	// Projected is called with events that were just committed to the outbox. It
	// must not block.
	Projected func(events []corehour.Event)
	// TickEvery is how often deadlines are looked at where nothing else happens;
	// zero leaves time to the commands.
	TickEvery time.Duration
	// SnapshotEvery is after how many commands a snapshot is made; zero is
	// DefaultSnapshotEvery.
	SnapshotEvery uint64
	Retention     Retention
	// DrainWithin bounds how long Close waits for the log and the database;
	// zero is DefaultDrain.
	DrainWithin time.Duration
}

func (c *Config) complete() error {
	if c.DB == nil || c.Clock == nil || c.SnapshotDir == "" || c.MarkFile == "" || c.Writer == "" || c.Log.Dir == "" && c.Log.URL == "" {
		return errors.New("exchange: config needs a database, a clock, a writer's name, a mark, a snapshot directory and a log")
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
	if c.SnapshotEvery == 0 {
		c.SnapshotEvery = DefaultSnapshotEvery
	}
	return nil
}

// Limits of the engine.
const (
	// MaxQueuedCommands bounds the commands that wait for a batch, besides one
	// batch that is being made up.
	MaxQueuedCommands = log.MaxCommands
	// MaxCommandBytes bounds one encoded command.
	MaxCommandBytes = log.MaxCommandBytes

	// AnswerWithin bounds how long Submit waits for an answer, and ReadWithin how
	// long a read waits to be current. Past them the caller hears that the exchange
	// is unavailable.
	AnswerWithin = 20 * time.Second
	ReadWithin   = 10 * time.Second
	// DefaultDrain bounds how long Close waits for the log and the database.
	DefaultDrain = 20 * time.Second
	// DefaultSnapshotEvery is after how many commands a snapshot is made.
	DefaultSnapshotEvery = 200_000

	readyWithin    = 2 * time.Second
	stagedBatches  = 64 // batches between two stages of the engine
	retryAppendMin = 50 * time.Millisecond
	retryAppendMax = 2 * time.Second

	// appendsInFlight is for a log that has no other writer. In a cluster others
	// append too, and what is in flight is refused when another was first: there it
	// is one at a time.
	appendsInFlight = 4
)

// Exchange is one node: it appends commands, applies the log and answers.
type Exchange struct {
	cfg       Config
	disk      disk
	projector *projector

	mu        sync.RWMutex // guards state and at
	state     *State
	at        log.Position // of the newest applied batch; written by the applier alone
	questions turns
	applied   atomic.Uint64 // at.Sequence

	queue      chan *Pending
	acks       chan ack
	deliveries chan delivery
	toMark     chan appended
	toApply    chan appended

	snapshotDue chan struct{}
	startedFrom log.Position // the snapshot's; zero where the start read all of the log

	// What keeps a node right where the log is wrong or a client repeats itself. The
	// simulation takes one out at a time, to prove that it would notice.
	chain     chainCheck
	forgetful bool // its state answers a repeat like a new command

	draining chan struct{} // closed when no more commands are taken
	admit    sync.RWMutex  // held for reading while a command enters the queue
	closed   bool
	failed   atomic.Pointer[error]
	broken   chan struct{} // closed when failed is set
	work     sync.WaitGroup
	stop     context.CancelFunc
}

// disk is all that lasts of a node. Tests put simulated parts in its place.
type disk struct {
	log       commandLog
	mark      mark
	snapshots snapshotStore
	store     projectionStore
}

func openDisk(ctx context.Context, c Config) (disk, error) {
	d := disk{snapshots: snapshotDir(c.SnapshotDir), store: sqlStore{c.DB}}
	projected, err := d.store.position(ctx)
	if err != nil {
		return d, err
	}
	if d.mark, err = log.OpenMark(c.MarkFile); err != nil {
		return d, err
	}
	c.Log.Logger = c.Logger
	c.Log.MustExist = projected.Sequence > 0 || d.mark.At().Sequence > 0
	if d.log, err = log.Open(ctx, c.Log); err != nil {
		return d, errors.Join(err, d.mark.Close())
	}
	return d, nil
}

func (d *disk) close() error {
	d.log.Close()
	return d.mark.Close()
}

// mark is what the engine needs of the node's mark (log.Mark).
type mark interface {
	At() log.Position
	Set(at log.Position) error
	Close() error
}

// commandLog is what the engine needs of the log.
type commandLog interface {
	Bounds(ctx context.Context) (first, last uint64, err error)
	Append(payload []byte, previous uint64, done func(error))
	At(ctx context.Context, sequence uint64) ([]byte, error)
	Read(ctx context.Context, from, to uint64, each func(sequence uint64, payload []byte) error) error
	Follow(ctx context.Context, from uint64, each func(sequence uint64, payload []byte) error) error
	Close()
}

// chainCheck reads a message of the log and checks that it is the batch that
// follows a position: log.Position.Follow.
type chainCheck func(at log.Position, sequence uint64, payload []byte) (log.Batch, log.Position, error)

// Pending is a command on its way. One without a command is a reader that waits
// for the end of the log.
type Pending struct {
	entry log.Entry
	cmd   Command
	done  chan outcome
}

type outcome struct {
	reply Reply
	err   error
}

// Open connects to the log, checks that log, mark, snapshot and projection belong
// together, brings the state up to the end of the log, and starts to work.
func Open(ctx context.Context, c Config) (*Exchange, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	if err := migrate(ctx, c.DB); err != nil {
		return nil, err
	}
	d, err := openDisk(ctx, c)
	if err != nil {
		return nil, err
	}
	x := newExchange(c, d)
	if err := x.recover(ctx); err != nil {
		return nil, errors.Join(err, x.disk.close())
	}
	x.start(context.WithoutCancel(ctx))
	return x, nil
}

func newExchange(c Config, d disk) *Exchange {
	return &Exchange{
		cfg: c, disk: d, questions: newTurns(), queue: make(chan *Pending, MaxQueuedCommands),
		acks: make(chan ack), deliveries: make(chan delivery, stagedBatches),
		toMark: make(chan appended, stagedBatches), toApply: make(chan appended, stagedBatches),
		draining: make(chan struct{}), broken: make(chan struct{}), snapshotDue: make(chan struct{}, 1),
		chain: log.Position.Follow,
	}
}

// start lets the stages run. Each ends when the one before it has.
func (x *Exchange) start(ctx context.Context) {
	ctx, x.stop = context.WithCancel(ctx)
	window := appendsInFlight
	following, unfollow := context.WithCancel(ctx)
	if !x.cfg.Log.Embedded() {
		window = 1
		x.work.Go(func() { x.follow(following, x.at.Sequence+1) })
	}
	writer := newWriter(x, window)
	x.work.Go(func() { x.projector.run(ctx) })
	x.work.Go(x.applyLoop)
	x.work.Go(func() { x.snapshotLoop(ctx) })
	x.work.Go(func() { x.scrub(ctx, x.startedFrom) })
	x.work.Go(x.markLoop)
	x.work.Go(func() {
		writer.run(ctx)
		unfollow()
	})
	if x.cfg.TickEvery > 0 {
		x.work.Go(func() { x.tickLoop(ctx) })
	}
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

func unavailable(message string, err error) error {
	return &corehour.Error{Kind: corehour.KindUnavailable, Code: corehour.CodeUnavailable, Message: message, Err: err}
}

// CodeCorrupt says that the log, a snapshot or the projection is not what was
// written. The node refuses to run.
const CodeCorrupt = log.CodeCorrupt

// Wait waits for the answer.
func (p *Pending) Wait(ctx context.Context) (Reply, error) {
	select {
	case o := <-p.done:
		return o.reply, o.err
	case <-ctx.Done():
		return Reply{}, unavailable("no answer in time; the command may still take effect", ctx.Err())
	}
}

func (p *Pending) answer(o outcome) {
	select {
	case p.done <- o:
	default: // answered before a failure
	}
}

func answerAll(pending []*Pending, err error) {
	for _, p := range pending {
		p.answer(outcome{err: stopped(err)})
	}
}

// stopped is what a caller hears of a node that cannot go on: another node may.
func stopped(err error) error {
	if corehour.KindOf(err) == corehour.KindUnavailable {
		return err
	}
	return unavailable("this node has stopped", err)
}

// fail ends service: what is not known to be in the log is answered with the
// error, and so is everything after it.
func (x *Exchange) fail(err error) {
	if x.failed.CompareAndSwap(nil, &err) {
		x.cfg.Logger.Error("the exchange has stopped", "error", err)
		close(x.broken)
	}
}

// Failed is closed when the node cannot go on: the log is not what it was, or it or
// the node's mark cannot be written. Close then says why.
func (x *Exchange) Failed() <-chan struct{} { return x.broken }

func (x *Exchange) failure() error {
	if err := x.failed.Load(); err != nil {
		return *err
	}
	return nil
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
	return errors.Join(err, x.disk.close())
}

func sleep(ctx context.Context, d time.Duration) bool { return sleepUnless(ctx.Done(), d) }

// sleepUnless waits, unless it is told to stop.
func sleepUnless(stop <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}

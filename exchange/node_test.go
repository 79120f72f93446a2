package exchange_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// manualClock is a clock that stands until it is set.
type manualClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *manualClock {
	return &manualClock{now: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// node is an exchange on a directory and a database, which may be opened again.
type node struct {
	t     testing.TB
	cfg   exchange.Config
	x     *exchange.Exchange
	notes *notebook
}

func newNode(t testing.TB, db *database.DB) *node {
	t.Helper()
	migrateBus(t, db)
	dir := t.TempDir()
	n := &node{t: t, notes: &notebook{}}
	n.cfg = exchange.Config{
		Log:         log.Config{Dir: filepath.Join(dir, "log")},
		MarkFile:    filepath.Join(dir, "acknowledged"),
		SnapshotDir: filepath.Join(dir, "snapshots"), DB: db, Clock: newClock(), Writer: "test",
		Logger: slog.New(slog.NewTextHandler(n.notes, nil)),
	}
	return n
}

// notebook is what a node has logged.
type notebook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notebook) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

func (n *notebook) Reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text.Reset()
}

func migrateBus(t testing.TB, db *database.DB) {
	t.Helper()
	b, err := bus.New(bus.Config{DB: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func sqlite(t *testing.T) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{Path: filepath.Join(t.TempDir(), "corehour.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (n *node) open() *exchange.Exchange {
	n.t.Helper()
	x, err := exchange.Open(n.t.Context(), n.cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	n.x = x
	return x
}

func (n *node) close() {
	n.t.Helper()
	if err := n.x.Close(); err != nil {
		n.t.Fatal(err)
	}
}

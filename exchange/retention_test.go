package exchange_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/exchange/log"
)

// retired is a closed node whose log begins after its first batches, and the hash
// of its state.
func retired(t *testing.T, keep exchange.Retention) (*node, exchange.Hash) {
	t.Helper()
	n := newNode(t, sqlite(t))
	n.cfg.SnapshotEvery, n.cfg.Retention = 10, keep
	market(t, n.open())
	for i, end := 0, time.Now().Add(30*time.Second); !strings.Contains(n.notes.String(), "old batches left the log"); i++ {
		submit(t, n.x, aBid(fmt.Sprint(i), 1))
		if time.Now().After(end) {
			t.Fatalf("nothing left the log after %d commands\n%s", i, n.notes.String())
		}
	}
	hash, _ := n.x.StateHash()
	n.close()
	return n, hash
}

func TestRetention_ArchivedLogIsVerifiedFromItsFirstBatch(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "archive")
	n, hash := retired(t, exchange.Retention{Archive: archive})
	v, err := exchange.Verify(t.Context(), n.cfg, func(uint64, uint64) {})
	if err != nil || v.StateHash != hash || v.Snapshots != 3 {
		t.Fatalf("%+v %v, live %s", v, err, hash)
	}
	x := n.open()
	defer n.close()
	if after, _ := x.StateHash(); after != hash {
		t.Fatalf("state %s became %s", hash, after)
	}
	// Names of before the archived part are still remembered.
	if reply, err := x.Submit(t.Context(), aBid("0", 1)); err != nil || !reply.Repeat {
		t.Errorf("%+v %v", reply, err)
	}
}

func TestRetention_DroppedLogGoesOnFromItsSnapshots(t *testing.T) {
	n, hash := retired(t, exchange.Retention{Drop: true})
	x := n.open()
	if after, _ := x.StateHash(); after != hash {
		t.Fatalf("state %s became %s", hash, after)
	}
	n.close()
	// Without a snapshot that reaches the log's beginning nobody knows the state.
	if err := os.RemoveAll(n.cfg.SnapshotDir); err != nil {
		t.Fatal(err)
	}
	refused(t, n.cfg, "no snapshot reaches it")
}

func TestRetention_DamagedArchiveIsNamed(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "archive")
	n, _ := retired(t, exchange.Retention{Archive: archive})
	files := filesOf(t, archive)
	flipByte(t, files[0])
	if _, err := exchange.Verify(t.Context(), n.cfg, func(uint64, uint64) {}); err == nil || !strings.Contains(err.Error(), filepath.Base(files[0])) {
		t.Errorf("a damaged archive is verified: %v", err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	_, err := exchange.Verify(t.Context(), n.cfg, func(uint64, uint64) {})
	if corehour.CodeOf(err) != log.CodeCorrupt || !strings.Contains(err.Error(), "neither in the log nor in the archive") {
		t.Errorf("a missing archive is verified: %v", err)
	}
}

package exchange_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// everyBit lets the damage tests flip every bit of every file of the log, which
// takes most of an hour; without it they take one bit in many.
var everyBit = flag.Bool("every-bit", false, "flip every bit of the files of a log")

// tradedNode is a closed node with a small log, a mark and a snapshot, and the hash
// of its state.
func tradedNode(t *testing.T) (*node, exchange.Hash) {
	t.Helper()
	n := newNode(t, sqlite(t))
	x := n.open()
	market(t, x)
	submit(t, x, aBid("job", 7), exchange.AcceptLease{Provider: "p", Lease: 1}, aBid("job-2", 1001))
	hash, _ := x.StateHash()
	n.close()
	return n, hash
}

// filesOf are the files below a directory.
func filesOf(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// copyOf is a node on a copy of another one's files and the same database.
func copyOf(t *testing.T, n *node) *node {
	t.Helper()
	dir := t.TempDir()
	other := *n
	other.t, other.x = t, nil
	other.notes.Reset()
	for from, to := range map[string]*string{n.cfg.Log.Dir: &other.cfg.Log.Dir, n.cfg.SnapshotDir: &other.cfg.SnapshotDir} {
		*to = filepath.Join(dir, filepath.Base(from))
		if err := os.CopyFS(*to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	mark, err := os.ReadFile(n.cfg.MarkFile)
	if err != nil {
		t.Fatal(err)
	}
	other.cfg.MarkFile = filepath.Join(dir, "acknowledged")
	if err := os.WriteFile(other.cfg.MarkFile, mark, 0o600); err != nil {
		t.Fatal(err)
	}
	return &other
}

// opens starts a node whose files were damaged. Either it refuses, and says what
// is wrong, or the damage has cost nothing: the state is the same.
func opens(t *testing.T, n *node, want exchange.Hash, what string) (refused bool) {
	t.Helper()
	x, err := exchange.Open(t.Context(), n.cfg)
	if err != nil {
		if text := err.Error(); len(text) < 20 {
			t.Errorf("%s: refused with %q", what, text)
		}
		return true
	}
	hash, _ := x.StateHash()
	if hash != want {
		t.Errorf("%s: it runs on state %s, was %s", what, hash, want)
	}
	if err := x.Close(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return false
}

// TestDamage_FlippedBitsOfTheLogAreDetectedOrHarmless flips bits in every file of
// the embedded log, one at a time. The snapshot is taken away, so that all of the
// log is read.
func TestDamage_FlippedBitsOfTheLogAreDetectedOrHarmless(t *testing.T) {
	n, hash := tradedNode(t)
	if err := os.RemoveAll(n.cfg.SnapshotDir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(n.cfg.SnapshotDir, 0o700); err != nil {
		t.Fatal(err)
	}
	flips, refusals := 0, 0
	for _, file := range filesOf(t, n.cfg.Log.Dir) {
		name := strings.TrimPrefix(file, n.cfg.Log.Dir)
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(content)*8/24)
		if *everyBit {
			step = 1
		}
		for bit := step / 2; bit < len(content)*8; bit += step {
			damaged := copyOf(t, n)
			changed := slices.Clone(content)
			changed[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(damaged.cfg.Log.Dir+name, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			flips++
			if opens(t, damaged, hash, name) {
				refusals++
			}
		}
	}
	t.Logf("%d bits, refused %d times", flips, refusals)
	if refusals < 10 {
		t.Errorf("of %d flipped bits only %d were refused: the files of batches were not among them", flips, refusals)
	}
}

// TestDamage_LogCutAtAnyLengthIsRefused cuts the file of the batches short, as a
// torn write or a lost block would.
func TestDamage_LogCutAtAnyLengthIsRefused(t *testing.T) {
	n, hash := tradedNode(t)
	blocks, err := filepath.Glob(filepath.Join(n.cfg.Log.Dir, "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v", blocks, err)
	}
	content, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, keep := range []int{0, 1, len(content) / 3, len(content) / 2, len(content) - 300, len(content) - 1} {
		damaged := copyOf(t, n)
		// What JetStream keeps besides the blocks is an index that it can make anew.
		for _, index := range filesOf(t, filepath.Dir(strings.Replace(blocks[0], n.cfg.Log.Dir, damaged.cfg.Log.Dir, 1))) {
			if strings.HasSuffix(index, "index.db") {
				if err := os.Remove(index); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(strings.Replace(blocks[0], n.cfg.Log.Dir, damaged.cfg.Log.Dir, 1), content[:keep], 0o600); err != nil {
			t.Fatal(err)
		}
		if !opens(t, damaged, hash, "cut") {
			t.Errorf("a log cut to %d of %d bytes is taken", keep, len(content))
		}
	}
}

// TestDamage_EveryFlippedBitOfASnapshotIsPassedOver also looks that the log then
// leads to the same state.
func TestDamage_EveryFlippedBitOfASnapshotIsPassedOver(t *testing.T) {
	n, hash := tradedNode(t)
	files := filesOf(t, n.cfg.SnapshotDir)
	if len(files) != 1 {
		t.Fatalf("snapshots %v", files)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	_, sequence := positionOf(files[0])
	for bit := range len(content) * 8 {
		content[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(files[0], content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := exchange.CheckSnapshot(n.cfg.SnapshotDir, sequence); err == nil {
			t.Fatalf("bit %d of %d", bit, len(content)*8)
		}
		if bit%(len(content)*8/4) == 1 {
			opens(t, n, hash, "snapshot")
			n.notes.Reset()
			if err := os.WriteFile(files[0], content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		content[bit/8] ^= 1 << (bit % 8)
	}
}

func positionOf(file string) (dir string, sequence uint64) {
	for _, c := range strings.TrimSuffix(filepath.Base(file), ".snapshot") {
		sequence = 10*sequence + uint64(c-'0')
	}
	return filepath.Dir(file), sequence
}

// A log that was removed is not made anew under those who know of its commands.
func TestDamage_LogThatIsGoneIsNotMadeAnew(t *testing.T) {
	n, _ := tradedNode(t)
	if err := os.RemoveAll(n.cfg.Log.Dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		began := time.Now()
		_, err := exchange.Open(t.Context(), n.cfg)
		if corehour.CodeOf(err) != exchange.CodeCorrupt || !strings.Contains(err.Error(), "there is no log") {
			t.Fatalf("it starts with %v after %s", err, time.Since(began))
		}
	}
}

// A start from a snapshot does not read what was before; the node reads it then,
// and ends where it was altered.
func TestDamage_BeforeTheSnapshotEndsTheRunningNode(t *testing.T) {
	n, hash := tradedNode(t)
	blocks, err := filepath.Glob(filepath.Join(n.cfg.Log.Dir, "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v", blocks, err)
	}
	content, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/4] ^= 1
	if err := os.WriteFile(blocks[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := exchange.Open(t.Context(), n.cfg)
	if err != nil {
		if corehour.CodeOf(err) != exchange.CodeCorrupt {
			t.Fatal(err)
		}
		t.Logf("found at the start: %v", err)
		return
	}
	if after, _ := x.StateHash(); after != hash {
		t.Fatalf("state %s became %s", hash, after)
	}
	select {
	case <-x.Failed():
	case <-time.After(20 * time.Second):
		t.Fatal("nobody has noticed")
	}
	if err := x.Close(); corehour.CodeOf(err) != exchange.CodeCorrupt || !strings.Contains(err.Error(), "log sequence") {
		t.Errorf("it ends with %v", err)
	}
}

func TestDamage_WholeLogBeforeTheSnapshotPasses(t *testing.T) {
	n, _ := tradedNode(t)
	x := n.open()
	select {
	case <-x.Failed():
		t.Error("a log that is whole ends the node")
	case <-time.After(300 * time.Millisecond):
	}
	n.close()
}

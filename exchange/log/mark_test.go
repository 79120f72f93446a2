package log_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/corehour/corehour/exchange/log"
)

func openMark(t *testing.T, path string) *log.Mark {
	t.Helper()
	m, err := log.OpenMark(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// markOf is a mark that was set to each position in turn.
func markOf(t *testing.T, positions ...log.Position) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "node", "acknowledged")
	m := openMark(t, path)
	for _, at := range positions {
		if err := m.Set(at); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestMark_IsWhereItWasSetLast(t *testing.T) {
	_, at := chain(1, 2, 3)
	path := markOf(t, log.Position{Sequence: 1}, log.Position{Sequence: 2}, at)
	if again := openMark(t, path).At(); again != at {
		t.Errorf("it stands at %+v, was set to %+v", again, at)
	}
	if read, ok, err := log.ReadMark(path); read != at || !ok || err != nil {
		t.Errorf("read as %+v %t %v", read, ok, err)
	}
	if _, ok, err := log.ReadMark(filepath.Join(t.TempDir(), "none")); ok || err != nil {
		t.Errorf("no mark is read as %t %v", ok, err)
	}
}

func TestMark_FreshOneStandsAtNoBatch(t *testing.T) {
	if at := openMark(t, filepath.Join(t.TempDir(), "acknowledged")).At(); at != (log.Position{}) {
		t.Errorf("it stands at %+v", at)
	}
}

// A write torn by a power cut leaves any mix of old and new bytes in its slot: the
// mark then stands where it was before.
func TestMark_TornWriteLeavesTheOneBefore(t *testing.T) {
	before, after := log.Position{Sequence: 8, Commands: 80}, log.Position{Sequence: 9, Commands: 90}
	path := markOf(t, log.Position{Sequence: 7}, before)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := openMark(t, path).Set(after); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != len(old) {
		t.Fatalf("%d bytes became %d (%v)", len(old), len(whole), err)
	}
	seen := map[log.Position]int{}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, append(append([]byte{}, whole[:cut]...), old[cut:]...), 0o600); err != nil {
			t.Fatal(err)
		}
		at, ok, err := log.ReadMark(path)
		if err != nil || !ok || at != before && at != after {
			t.Fatalf("torn at byte %d it stands at %+v (%v)", cut, at, err)
		}
		seen[at]++
	}
	if len(seen) != 2 {
		t.Errorf("only %v was seen", seen)
	}
}

// No flipped bit moves the mark to a place that it never stood at.
func TestMark_FlippedBitsAreNeverBelieved(t *testing.T) {
	before, after := log.Position{Sequence: 8, Commands: 80}, log.Position{Sequence: 9, Commands: 90}
	path := markOf(t, before, after)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for bit := range 8 {
			whole[i] ^= 1 << bit
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			if at, _, err := log.ReadMark(path); err != nil || at != before && at != after {
				t.Fatalf("byte %d, bit %d: it stands at %+v (%v)", i, bit, at, err)
			}
			whole[i] ^= 1 << bit
		}
	}
}

func TestMark_WithoutAGoodSlotIsRefused(t *testing.T) {
	path := markOf(t, log.Position{Sequence: 1})
	for _, content := range [][]byte{nil, make([]byte, 1024), []byte("text")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := log.OpenMark(path); !errors.Is(err, log.ErrMark) {
			t.Errorf("%d bytes are opened: %v", len(content), err)
		}
	}
}

// A start that dies while it makes the mark has answered nothing: the next one
// makes it again.
func TestMark_IsMadeAgainWhereTheFirstStartDiedOverIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acknowledged")
	if err := os.WriteFile(path+".new", []byte("half of a sl"), 0o600); err != nil {
		t.Fatal(err)
	}
	if at := openMark(t, path).At(); at != (log.Position{}) {
		t.Fatalf("it stands at %+v", at)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 1 {
		t.Fatalf("what was left of the first start is still there: %v %v", files, err)
	}
}

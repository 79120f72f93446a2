package log

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func position(sequence uint64) Position {
	return Position{Sequence: sequence, Hash: HashOf([]byte{byte(sequence)}), Commands: 2 * sequence}
}

func openedMark(t *testing.T, path string, want Position) *Mark {
	t.Helper()
	m, err := OpenMark(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if m.At() != want {
		t.Fatalf("the mark stands at %+v, want %+v", m.At(), want)
	}
	return m
}

func TestMark_TornWriteLeavesTheOneBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node", "acknowledged")
	m := openedMark(t, path, Position{})
	for _, sequence := range []uint64{1, 2, 3} {
		if err := m.Set(position(sequence)); err != nil {
			t.Fatal(err)
		}
	}
	openedMark(t, path, position(3))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tear := func(slot int64) {
		content[slot*markSlotBytes+markSlotBytes/2] ^= 1
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tear(m.slot)
	openedMark(t, path, position(2))
	tear(1 - m.slot)
	if _, err := OpenMark(path); !errors.Is(err, ErrMark) {
		t.Fatalf("both slots are damaged: %v", err)
	}
}

// A start that dies while it makes the mark has answered nothing: the next one
// makes it again.
func TestMark_IsMadeAgainWhereTheFirstStartDiedOverIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acknowledged")
	if err := os.WriteFile(path+unfinishedMark, []byte("half of a sl"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openedMark(t, path, Position{}).Set(position(7)); err != nil {
		t.Fatal(err)
	}
	openedMark(t, path, position(7))
	if _, err := os.Stat(path + unfinishedMark); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("what was left of the first start is still there: %v", err)
	}
}

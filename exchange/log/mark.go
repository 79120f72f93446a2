package log

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/corehour/corehour/internal/canonical"
)

// Mark is a small file that names the newest batch which a node has acknowledged,
// synced before the acknowledgement. A log that ends before its mark has lost
// what was acknowledged: without the mark that would look like a write which was
// torn by a crash, and pass in silence.
//
// The file has two slots that are written in turn, each with a checksum, so that
// a write torn by a power cut leaves the one before it.
type Mark struct {
	file MarkFile
	at   Position
	slot int64
}

// MarkFile is what a mark is written to.
type MarkFile interface {
	io.ReaderAt
	io.WriterAt
	// Sync waits until what was written is on disk. After the first writes the
	// file keeps its length.
	Sync() error
	io.Closer
}

// diskFile is a file whose length does not change any more.
type diskFile struct{ *os.File }

// Sync waits for the content alone.
func (f diskFile) Sync() error { return syncData(f.File) }

const (
	markSlotBytes = 512 // a sector: smaller writes are not torn by most disks
	markVersion   = 1

	unfinishedMark = ".new" // ends the name of a mark that is being made
)

// markSlot is what a slot says, after its checksum and length.
type markSlot struct {
	Version  uint8    `cbor:"1,keyasint"`
	Position Position `cbor:"2,keyasint"`
}

// ErrMark says that a mark is there and none of its slots can be read.
var ErrMark = errors.New("both slots are damaged")

// OpenMark opens a node's mark, or makes one that stands at no batch.
func OpenMark(path string) (*Mark, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return createMark(path)
	}
	if err != nil {
		return nil, fmt.Errorf("mark of the log: %w", err)
	}
	m, err := LoadMark(diskFile{file})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mark of the log, %s: %w", path, err), file.Close())
	}
	return m, nil
}

// createMark makes a mark under another name and renames it, so that it is there
// whole, or not at all where the power went meanwhile.
func createMark(path string) (*Mark, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("mark of the log: %w", err)
	}
	file, err := os.OpenFile(path+unfinishedMark, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("mark of the log: %w", err)
	}
	m, err := formatDurably(file, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mark of the log, %s: %w", path, err), file.Close())
	}
	return m, nil
}

// ReadMark reads a node's mark and changes nothing; ok is false where it has none.
func ReadMark(path string) (at Position, ok bool, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return at, false, nil
	}
	if err != nil {
		return at, false, fmt.Errorf("mark of the log: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	m, err := LoadMark(diskFile{file})
	if err != nil {
		return at, false, fmt.Errorf("mark of the log, %s: %w", path, err)
	}
	return m.at, true, nil
}

func formatDurably(file *os.File, path string) (*Mark, error) {
	m, err := FormatMark(diskFile{file})
	if err = errors.Join(err, file.Sync()); err != nil {
		return nil, err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return m, errors.Join(dir.Sync(), dir.Close())
}

// FormatMark makes a mark that stands at no batch. It writes both slots, so that
// later writes never make the file longer.
func FormatMark(file MarkFile) (*Mark, error) {
	m := &Mark{file: file}
	for range 2 {
		if err := m.Set(Position{}); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// LoadMark reads the mark that a file holds.
func LoadMark(file MarkFile) (*Mark, error) {
	m := &Mark{file: file}
	return m, m.load()
}

func (m *Mark) load() error {
	found := false
	for slot := range int64(2) {
		at, ok := readSlot(m.file, slot)
		if ok && (!found || at.Sequence >= m.at.Sequence) {
			m.at, m.slot, found = at, slot, true
		}
	}
	if !found {
		return ErrMark
	}
	return nil
}

func readSlot(file io.ReaderAt, slot int64) (Position, bool) {
	var bytes [markSlotBytes]byte
	if _, err := file.ReadAt(bytes[:], slot*markSlotBytes); err != nil {
		return Position{}, false
	}
	body := bytes[sha256.Size:]
	if sha256.Sum256(body) != [sha256.Size]byte(bytes[:sha256.Size]) {
		return Position{}, false
	}
	var said markSlot
	if int(body[0]) >= len(body) || canonical.Unmarshal(body[1:1+int(body[0])], &said) != nil || said.Version != markVersion {
		return Position{}, false
	}
	return said.Position, true
}

// At is the newest batch that the mark names.
func (m *Mark) At() Position { return m.at }

// Set names a batch, durably.
func (m *Mark) Set(at Position) error {
	var bytes [markSlotBytes]byte
	body := bytes[sha256.Size:]
	encoded := canonical.Marshal(&markSlot{Version: markVersion, Position: at})
	body[0] = byte(len(encoded))
	copy(body[1:], encoded)
	sum := sha256.Sum256(body)
	copy(bytes[:], sum[:])
	next := 1 - m.slot
	if _, err := m.file.WriteAt(bytes[:], next*markSlotBytes); err != nil {
		return fmt.Errorf("mark of the log: %w", err)
	}
	if err := m.file.Sync(); err != nil {
		return fmt.Errorf("mark of the log: %w", err)
	}
	m.at, m.slot = at, next
	return nil
}

// Close closes the file.
func (m *Mark) Close() error { return m.file.Close() }

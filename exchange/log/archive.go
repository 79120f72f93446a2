package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Archive is a directory of files of a log, which together hold it from its first
// batch on.
type Archive struct{ dir string }

// OpenArchive names the directory; it is made when something is put into it.
func OpenArchive(dir string) Archive { return Archive{dir} }

const archiveSuffix = ".log"

func (a Archive) path(from, to uint64) string {
	return filepath.Join(a.dir, fmt.Sprintf("%020d-%020d%s", from, to, archiveSuffix))
}

// Exporter is the log that is archived.
type Exporter interface {
	Export(ctx context.Context, w io.Writer, from, to uint64) (Position, error)
}

// Add puts the batches from a sequence up to another into the archive: written,
// synced, read again and checked, and only then under their name.
func (a Archive) Add(ctx context.Context, l Exporter, from, to uint64) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("archive of the log: %w", err)
	}
	f, err := os.CreateTemp(a.dir, "writing-*")
	if err != nil {
		return fmt.Errorf("archive of the log: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where the rename succeeded
	_, err = l.Export(ctx, f, from, to)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("archive of the log: %w", err)
	}
	if err := readSpan(span{from, to, f.Name()}, func(uint64, []byte) error { return nil }); err != nil {
		return fmt.Errorf("archive of the log: %w", err)
	}
	if err := os.Rename(f.Name(), a.path(from, to)); err != nil {
		return fmt.Errorf("archive of the log: %w", err)
	}
	d, err := os.Open(a.dir)
	if err != nil {
		return fmt.Errorf("archive of the log: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// span is what a file's name says is in it.
type span struct {
	from, to uint64
	path     string
}

// spans lists the files in the order of what is in them.
func (a Archive) spans() ([]span, error) {
	entries, err := os.ReadDir(a.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("archive of the log: %w", err)
	}
	var spans []span
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), archiveSuffix)
		var s span
		if _, err := fmt.Sscanf(name, "%d-%d", &s.from, &s.to); ok && err == nil {
			s.path = filepath.Join(a.dir, e.Name())
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(x, y span) int { return strings.Compare(x.path, y.path) })
	return spans, nil
}

// Read yields the archived batches from a sequence up to another, in order, and
// fails on the first that is missing or not what it was.
func (a Archive) Read(from, to uint64, each func(sequence uint64, payload []byte) error) error {
	spans, err := a.spans()
	if err != nil {
		return err
	}
	next := from
	for _, s := range spans {
		if next > to || s.to < next {
			continue
		}
		if s.from > next {
			break
		}
		if err := readSpan(s, func(sequence uint64, payload []byte) error {
			if sequence != next || sequence > to {
				return nil
			}
			next++
			return each(sequence, payload)
		}); err != nil {
			return err
		}
	}
	if next <= to {
		return Corrupt(next, "the batch is neither in the log nor in the archive")
	}
	return nil
}

func readSpan(s span, each func(sequence uint64, payload []byte) error) error {
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("archive of the log: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	from, to, err := ReadFile(f, func(_ Position, sequence uint64, payload []byte) error { return each(sequence, payload) })
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if from.Sequence+1 != s.from || to.Sequence != s.to {
		return fmt.Errorf("%s holds the sequences %d to %d", s.path, from.Sequence+1, to.Sequence)
	}
	return nil
}

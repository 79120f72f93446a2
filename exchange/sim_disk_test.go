package exchange

import (
	"errors"
	"fmt"
	"slices"
)

// simFile is the file of a node's mark. What is not synced a power cut loses,
// keeps or tears.
type simFile struct {
	s       *sim
	formed  bool
	content []byte // as the operating system shows it
	durable []byte
	dirty   []dirtyWrite
}

type dirtyWrite struct {
	at   int64
	data []byte
}

const simFileBytes = 4096

func newSimFile(s *sim) *simFile {
	return &simFile{s: s, content: make([]byte, simFileBytes), durable: make([]byte, simFileBytes)}
}

// ReadAt is io.ReaderAt.
func (f *simFile) ReadAt(p []byte, at int64) (int, error) { return copy(p, f.content[at:]), nil }

// WriteAt is io.WriterAt.
func (f *simFile) WriteAt(p []byte, at int64) (int, error) {
	f.dirty = append(f.dirty, dirtyWrite{at, slices.Clone(p)})
	copy(f.content[at:], p)
	if f.s.chance(f.s.traits.disk) {
		f.s.note("mark: the disk fails")
		return 0, errSimulated
	}
	return len(p), nil
}

// Sync is the file's fsync.
func (f *simFile) Sync() error {
	if f.s.without == markSync && f.formed {
		return nil
	}
	copy(f.durable, f.content)
	f.dirty = nil
	return nil
}

// Close is io.Closer.
func (f *simFile) Close() error { return nil }

// cutPower leaves what was synced, and of every other write all, a part or nothing.
func (f *simFile) cutPower() {
	for _, w := range f.dirty {
		switch f.s.random.IntN(3) {
		case 0:
			copy(f.durable[w.at:], w.data)
		case 1:
			copy(f.durable[w.at:], w.data[:f.s.random.IntN(len(w.data))])
		}
	}
	f.dirty = nil
	copy(f.content, f.durable)
}

// simSnapshots are a node's snapshots. They are kept whole; a disk that lies may
// still tear the newest one in a power cut.
type simSnapshots struct {
	s       *sim
	entries []simSnapshot // oldest first
}

type simSnapshot struct {
	sequence uint64
	content  []byte
}

func (d *simSnapshots) list() (sequences []uint64, err error) {
	for _, e := range d.entries {
		sequences = append(sequences, e.sequence)
	}
	slices.Sort(sequences)
	slices.Reverse(sequences)
	return sequences, nil
}

func (d *simSnapshots) find(sequence uint64) int {
	return slices.IndexFunc(d.entries, func(e simSnapshot) bool { return e.sequence == sequence })
}

func (d *simSnapshots) read(sequence uint64) ([]byte, error) {
	i := d.find(sequence)
	if i < 0 {
		return nil, fmt.Errorf("snapshot %d: %w", sequence, errSimulated)
	}
	return d.entries[i].content, nil
}

func (d *simSnapshots) write(sequence uint64, content []byte) error {
	if d.s.chance(d.s.traits.disk) {
		return errors.New("no space left on device")
	}
	if err := d.remove(sequence); err != nil {
		return err
	}
	d.entries = append(d.entries, simSnapshot{sequence, slices.Clone(content)})
	return nil
}

func (d *simSnapshots) remove(sequence uint64) error {
	d.entries = slices.DeleteFunc(d.entries, func(e simSnapshot) bool { return e.sequence == sequence })
	return nil
}

// cutPower may tear the snapshot that was written last, or lose it.
func (d *simSnapshots) cutPower() {
	if len(d.entries) == 0 || !d.s.chance(d.s.traits.damage) {
		return
	}
	last := &d.entries[len(d.entries)-1]
	if len(last.content) == 0 {
		return // torn before
	}
	switch d.s.random.IntN(3) {
	case 0:
		last.content = last.content[:d.s.random.IntN(len(last.content))]
	case 1:
		last.content[d.s.random.IntN(len(last.content))] ^= 1 << d.s.random.IntN(8)
	case 2:
		d.entries = d.entries[:len(d.entries)-1]
	}
	d.s.note("snapshots: the newest one is torn or lost")
}

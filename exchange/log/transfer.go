package log

import (
	"context"
	"fmt"
	"io"
)

// Before is where the log stands before its batch of a sequence, as that batch
// says.
func (l *JetStream) Before(ctx context.Context, sequence uint64) (Position, error) {
	payload, err := l.At(ctx, sequence)
	if err != nil {
		return Position{}, err
	}
	b, err := Decode(payload)
	if err != nil {
		return Position{}, Corrupt(sequence, err.Error())
	}
	return b.Follows(sequence), nil
}

// Export writes the batches from a sequence up to another to a file, and returns
// where the log stands after them. The chain is checked on the way.
func (l *JetStream) Export(ctx context.Context, w io.Writer, from, to uint64) (Position, error) {
	before := Position{Sequence: from - 1}
	if from <= to {
		var err error
		if before, err = l.Before(ctx, from); err != nil {
			return before, err
		}
	}
	f, err := NewFileWriter(w, before)
	if err != nil {
		return before, err
	}
	if err := l.Read(ctx, from, to, f.Add); err != nil {
		return before, err
	}
	return f.Finish()
}

// Import appends the batches of a file that the log does not hold yet. What it
// holds of them must be the same, and the file must reach its end. It returns how
// many were appended and where the log stands then.
func (l *JetStream) Import(ctx context.Context, r io.Reader) (added int, to Position, err error) {
	_, last, err := l.Bounds(ctx)
	if err != nil {
		return 0, to, err
	}
	from, to, err := ReadFile(r, func(before Position, sequence uint64, payload []byte) error {
		switch {
		case sequence < last:
			return nil
		case sequence == last:
			return l.compare(ctx, sequence, payload)
		case sequence > last+1:
			return fmt.Errorf("the log ends at %d, the file begins at %d", last, sequence)
		}
		if before.Sequence > 0 && added == 0 {
			if err := l.confirm(ctx, before); err != nil {
				return err
			}
		}
		if err := l.append(ctx, payload, last); err != nil {
			return err
		}
		added++
		last = sequence
		return nil
	})
	if err != nil {
		return added, to, err
	}
	if to.Sequence < last {
		return added, to, fmt.Errorf("the file has the sequences %d to %d, the log goes on to %d", from.Sequence+1, to.Sequence, last)
	}
	return added, to, nil
}

func (l *JetStream) compare(ctx context.Context, sequence uint64, payload []byte) error {
	return l.confirm(ctx, Position{Sequence: sequence, Hash: HashOf(payload)})
}

// confirm checks that the log's batch at a position is the one that it names.
func (l *JetStream) confirm(ctx context.Context, at Position) error {
	payload, err := l.At(ctx, at.Sequence)
	if err != nil {
		return err
	}
	if HashOf(payload) != at.Hash {
		return Corrupt(at.Sequence, "the log has another batch here than the file")
	}
	return nil
}

// append waits until a batch is durably in the log.
func (l *JetStream) append(ctx context.Context, payload []byte, previous uint64) error {
	done := make(chan error, 1)
	l.Append(payload, previous, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

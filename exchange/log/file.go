package log

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/corehour/corehour/internal/canonical"
)

// A file of a log is a stretch of batches outside of the stream, as it is
// exported and archived:
//
//	"corehour log 1\n"
//	a record with the Position before the first batch
//	a record for each batch, in order
//	an empty record, and one with the Position after the last batch
//
// A record is its length and its CRC-32C, four bytes each in big-endian order, and
// its bytes. A file without its end was cut short.
const fileMagic = "corehour log 1\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// FileWriter writes batches to a file.
type FileWriter struct {
	out *bufio.Writer
	at  Position
}

// NewFileWriter begins a file of the batches that follow a position.
func NewFileWriter(w io.Writer, from Position) (*FileWriter, error) {
	f := &FileWriter{out: bufio.NewWriterSize(w, 1<<20), at: from}
	if _, err := f.out.WriteString(fileMagic); err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	return f, f.record(canonical.Marshal(&from))
}

// Add writes the next batch.
func (f *FileWriter) Add(sequence uint64, payload []byte) error {
	_, after, err := f.at.Follow(sequence, payload)
	if err != nil {
		return err
	}
	f.at = after
	return f.record(payload)
}

// Finish writes the end of the file and returns where the log stands there.
func (f *FileWriter) Finish() (Position, error) {
	err := errors.Join(f.record(nil), f.record(canonical.Marshal(&f.at)), f.out.Flush())
	return f.at, err
}

func (f *FileWriter) record(body []byte) error {
	var head [8]byte
	binary.BigEndian.PutUint32(head[:4], uint32(len(body)))
	binary.BigEndian.PutUint32(head[4:], crc32.Checksum(body, castagnoli))
	if _, err := f.out.Write(head[:]); err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	if _, err := f.out.Write(body); err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	return nil
}

// ErrCut says that a file has no end.
var ErrCut = errors.New("the file was cut short")

// ReadFile reads a file and checks all of it; each gets the position before a
// batch and the batch. It returns where the file begins and where it ends.
func ReadFile(r io.Reader, each func(before Position, sequence uint64, payload []byte) error) (from, to Position, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	magic := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != fileMagic {
		return from, to, errors.New("this is not a file of a log, or of another version")
	}
	head, err := readRecord(in)
	if err != nil {
		return from, to, err
	}
	if err := canonical.Unmarshal(head, &from); err != nil {
		return from, to, fmt.Errorf("the file's beginning: %w", err)
	}
	for to = from; ; {
		payload, err := readRecord(in)
		if err != nil {
			return from, to, fmt.Errorf("after log sequence %d: %w", to.Sequence, err)
		}
		if len(payload) == 0 {
			return from, to, checkEnd(in, to)
		}
		_, after, err := to.Follow(to.Sequence+1, payload)
		if err != nil {
			return from, to, err
		}
		if err := each(to, to.Sequence+1, payload); err != nil {
			return from, to, err
		}
		to = after
	}
}

func checkEnd(in *bufio.Reader, at Position) error {
	tail, err := readRecord(in)
	if err != nil {
		return err
	}
	var end Position
	if err := canonical.Unmarshal(tail, &end); err != nil || end != at {
		return Corrupt(at.Sequence, "the file's end names another batch")
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return errors.New("something follows the end of the file")
	}
	return nil
}

func readRecord(in *bufio.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, cut(err)
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n > embeddedMaxPayload {
		return nil, fmt.Errorf("a record of %d bytes is larger than any batch", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, cut(err)
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return nil, errors.New("a record is damaged: its checksum does not hold")
	}
	return body, nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	return err
}

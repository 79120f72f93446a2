package swf

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/corehour/corehour"
)

// Limits of a log.
const (
	// MaxLineBytes bounds a line; a longer one is refused without being kept.
	MaxLineBytes = 64 << 10
	// MaxFileBytes bounds a log after decompression. Reading stops there.
	MaxFileBytes = 16 << 30
	// MaxJobs bounds the accepted jobs, several times the largest log of the
	// archive. Lines beyond it are counted as refused.
	MaxJobs = 5_000_000
)

// CodeUnreadable is the code of a log of which nothing can be read.
const CodeUnreadable corehour.Code = "trace_unreadable"

// Reader gives the accepted jobs of a log one after the other, in the order of
// the file, in constant memory but for the ids it has seen.
type Reader struct {
	in       *bufio.Reader
	close    func() error
	line     int64
	left     int64 // bytes until MaxFileBytes
	maxJobs  int64
	ids      idSet
	accepted int64
	read     int64
	rejected map[string]int64
	header   Header
	done     bool
}

// Open opens a log, plain or compressed with gzip, told apart by its first
// bytes. The caller closes it.
func Open(path string) (*Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	r, err := NewReader(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.close = file.Close
	return r, nil
}

// NewReader reads a log, plain or compressed, from a stream.
func NewReader(in io.Reader) (*Reader, error) {
	buffered := bufio.NewReaderSize(in, MaxLineBytes)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(err)
	}
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, unreadable(fmt.Errorf("it begins like a gzip file but is none: %w", err))
		}
		buffered = bufio.NewReaderSize(unzipped, MaxLineBytes)
	}
	r := &Reader{
		in: buffered, close: func() error { return nil }, left: MaxFileBytes, maxJobs: MaxJobs,
		rejected: make(map[string]int64), header: newHeader(),
	}
	r.skipByteOrderMark()
	return r, nil
}

func unreadable(err error) error {
	return &corehour.Error{
		Kind: corehour.KindInvalid, Code: CodeUnreadable, Op: "swf.Open",
		Message: "the trace cannot be read: " + err.Error(), Err: err,
	}
}

// Close closes the file.
func (r *Reader) Close() error { return r.close() }

// Read is how many jobs were read so far: lines neither blank nor comments.
func (r *Reader) Read() int64 { return r.read }

// Rejected is how many of them were refused so far, by reason.
func (r *Reader) Rejected() map[string]int64 { return r.rejected }

// Header is what the comments have said so far.
func (r *Reader) Header() Header { return r.header }

// Next is the next accepted job; io.EOF says that there is none. It has no other
// error: what breaks a file off is counted like a refused line.
func (r *Reader) Next() (Job, error) {
	for !r.done {
		line, end := r.nextLine()
		if job, ok := r.take(line, end); ok {
			return job, nil
		}
	}
	return Job{}, io.EOF
}

// lineEnd says how a line ended.
type lineEnd struct {
	tooLong bool
	err     error // io.EOF, or what broke the file off
}

// take counts one line and gives the job in it, if there is one.
func (r *Reader) take(line []byte, end lineEnd) (Job, bool) {
	if end.err != nil {
		r.done = true
		if !errors.Is(end.err, io.EOF) {
			// The line in which the file broke off is one job read and refused,
			// even where nothing of it arrived: a damaged log must never look
			// complete.
			r.refuse(reasonOf(end.err))
			return Job{}, false
		}
	}
	content, comment, _ := bytes.Cut(line, []byte{';'})
	if isBlankLine(content) {
		r.header.take(comment)
		return Job{}, false
	}
	if end.tooLong {
		r.refuse(ReasonLineTooLong)
		return Job{}, false
	}
	job, reason := parseLine(content)
	job.Line = r.line
	if reason == "" {
		reason = r.admit(job)
	}
	if reason != "" {
		r.refuse(reason)
		return Job{}, false
	}
	r.read++
	r.accepted++
	return job, true
}

// admit applies the rules that concern the other jobs.
func (r *Reader) admit(job Job) (reason string) {
	if r.ids.contains(job.ID) {
		return ReasonDuplicateID
	}
	if r.accepted >= r.maxJobs {
		return ReasonTooManyJobs
	}
	r.ids.add(job.ID)
	return ""
}

func (r *Reader) refuse(reason string) {
	r.read++
	r.rejected[reason]++
}

var errFileTooLong = errors.New("more than MaxFileBytes")

func reasonOf(err error) string {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ReasonTruncatedFile
	case errors.Is(err, errFileTooLong):
		return ReasonFileTooLong
	}
	return ReasonUnreadableFile
}

// nextLine reads up to the next newline. Of a line longer than MaxLineBytes it
// gives enough to tell whether it is blank, a comment or a job, and skips the rest.
func (r *Reader) nextLine() (line []byte, end lineEnd) {
	r.line++
	line, err := r.readSlice()
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, lineEnd{err: err}
	}
	kept := append([]byte(nil), line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		if line, err = r.readSlice(); isBlankLine(kept) {
			kept = append(kept[:0], line...)
		}
	}
	return kept, lineEnd{tooLong: true, err: err}
}

func (r *Reader) readSlice() ([]byte, error) {
	if r.left <= 0 {
		return nil, errFileTooLong
	}
	line, err := r.in.ReadSlice('\n')
	r.left -= int64(len(line))
	return line, err
}

func isBlankLine(line []byte) bool {
	for _, c := range line {
		if !isBlank(c) {
			return false
		}
	}
	return true
}

// skipByteOrderMark drops what some editors put before UTF-8 text.
func (r *Reader) skipByteOrderMark() {
	mark := []byte("\xef\xbb\xbf")
	if begin, err := r.in.Peek(len(mark)); err == nil && bytes.Equal(begin, mark) {
		_, _ = r.in.Discard(len(mark)) // cannot fail: these bytes are in the buffer
	}
}

func isRangeError(err error) bool { return errors.Is(err, strconv.ErrRange) }

package swf

import (
	"cmp"
	"errors"
	"io"
	"slices"
)

// MaxSpanSeconds bounds the time from the first job of a log to its last at 100
// years. A line that lies further off carries a broken submit time, and the
// arrival computed from it would leave the calendar of the exchange.
const MaxSpanSeconds = 100 * 366 * 24 * 3600

// Trace is a whole log, at most MaxJobs jobs.
type Trace struct {
	// Jobs are the accepted ones by submit time, then by line: not all logs are
	// sorted.
	Jobs []Job
	// Read is the number of lines that are neither blank nor comments. It is
	// always len(Jobs) plus the sum of Rejected.
	Read     int64
	Rejected map[string]int64
	Header   Header
}

// Read reads a whole log. The error says that nothing of it can be read.
func Read(path string) (*Trace, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	trace := collect(r)
	if err := r.Close(); err != nil {
		return nil, unreadable(err)
	}
	return trace, nil
}

func collect(r *Reader) *Trace {
	t := new(Trace)
	for {
		job, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		t.Jobs = append(t.Jobs, job)
	}
	t.Read, t.Rejected, t.Header = r.Read(), r.Rejected(), r.Header()
	byArrival := func(a, b Job) int {
		return cmp.Or(cmp.Compare(a.Submit, b.Submit), cmp.Compare(a.Line, b.Line))
	}
	if !slices.IsSortedFunc(t.Jobs, byArrival) {
		slices.SortFunc(t.Jobs, byArrival)
	}
	t.refuseBeyondSpan()
	return t
}

// refuseBeyondSpan drops the jobs at the end that are too far from the first.
func (t *Trace) refuseBeyondSpan() {
	for i, job := range t.Jobs {
		if job.Submit-t.Jobs[0].Submit > MaxSpanSeconds {
			t.Rejected[ReasonSubmitTimeOutOfRange] += int64(len(t.Jobs) - i)
			t.Jobs = t.Jobs[:i]
			return
		}
	}
}

package providers

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/corehour/corehour"
)

// Limits of a file with figures.
const (
	// MaxTableBytes bounds a price list or a list of intensities.
	MaxTableBytes = 64 << 20
	// MaxTableLines bounds its lines.
	MaxTableLines = 500_000
)

// CodeBadTable is the code of a file with figures that cannot be used.
const CodeBadTable corehour.Code = "bad_table"

// table reads a CSV file with a header. Columns are found by their names, in
// any order.
type table struct {
	name   string // for messages
	in     *csv.Reader
	header []string
	lines  int
}

func openTable(name string, r io.Reader) (*table, error) {
	limited := &limitedReader{r: r, left: MaxTableBytes}
	buffered := bufio.NewReader(limited)
	mark := []byte("\xef\xbb\xbf")
	if begin, err := buffered.Peek(len(mark)); err == nil && bytes.Equal(begin, mark) {
		_, _ = buffered.Discard(len(mark)) // cannot fail: these bytes are in the buffer
	}
	t := &table{name: name, in: csv.NewReader(buffered)}
	t.in.TrimLeadingSpace = true
	t.in.FieldsPerRecord = -1
	header, err := t.in.Read()
	if errors.Is(err, io.EOF) {
		return nil, t.errorf(0, "it is empty")
	}
	if err != nil {
		return nil, t.wrap(err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	t.header = header
	return t, nil
}

// row is one line's fields, with their names.
type row struct {
	table  *table
	line   int
	fields []string
}

// next is the next line that is not empty; io.EOF says that there is none. An
// error of kind errLine concerns only that line, and reading may go on.
func (t *table) next() (row, error) {
	t.lines++
	if t.lines > MaxTableLines {
		return row{}, t.errorf(0, "it has more than %d lines", MaxTableLines)
	}
	fields, err := t.in.Read()
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return row{}, &errLine{line: parse.StartLine, why: parse.Err.Error()}
	}
	if errors.Is(err, io.EOF) {
		return row{}, io.EOF
	}
	if err != nil {
		return row{}, t.wrap(err)
	}
	line, _ := t.in.FieldPos(0)
	if len(fields) != len(t.header) {
		return row{}, &errLine{line: line, why: fmt.Sprintf("%d columns where the header has %d", len(fields), len(t.header))}
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return row{table: t, line: line, fields: fields}, nil
}

// column is the place of the one column whose name matches; -1 where there is
// none, an error where there are several.
func (t *table) column(matches func(name string) bool) (int, error) {
	found := -1
	for i, name := range t.header {
		if !matches(strings.ToLower(name)) {
			continue
		}
		if found >= 0 {
			return -1, t.errorf(1, "two columns could be meant: %q and %q", t.header[found], name)
		}
		found = i
	}
	return found, nil
}

// required are the places of columns that must be there, by their exact names.
func (t *table) required(names ...string) (map[string]int, error) {
	places := make(map[string]int, len(names))
	for _, name := range names {
		place, err := t.column(func(s string) bool { return s == name })
		if err != nil {
			return nil, err
		}
		if place < 0 {
			return nil, t.errorf(1, "no column %s; there are %s", name, strings.Join(t.header, ", "))
		}
		places[name] = place
	}
	return places, nil
}

// errLine is what is wrong with one line.
type errLine struct {
	line int
	why  string
}

func (e *errLine) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.why) }

// errorf is about a line of the file, or about all of it where line is 0.
func (t *table) errorf(line int, format string, args ...any) error {
	where := t.name
	if line > 0 {
		where = fmt.Sprintf("%s, line %d", t.name, line)
	}
	return corehour.Errorf(corehour.KindInvalid, CodeBadTable, "%s: %s", where, fmt.Sprintf(format, args...))
}

// wrap makes an error of this package of what reading said.
func (t *table) wrap(err error) error {
	var line *errLine
	if errors.As(err, &line) {
		return t.errorf(line.line, "%s", line.why)
	}
	var known *corehour.Error
	if errors.As(err, &known) {
		return err
	}
	return &corehour.Error{
		Kind: corehour.KindInvalid, Code: CodeBadTable, Message: t.name + " cannot be read: " + err.Error(), Err: err,
	}
}

// limitedReader fails beyond a number of bytes, where io.LimitReader would let a
// cut file look complete.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("it has more than %d bytes", MaxTableBytes)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

package swf

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corehour/corehour"
)

func readText(t *testing.T, text string) *Trace {
	t.Helper()
	r, err := NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	trace := collect(r)
	checkSum(t, trace)
	return trace
}

func checkSum(t *testing.T, trace *Trace) {
	t.Helper()
	sum := int64(len(trace.Jobs))
	for reason, n := range trace.Rejected {
		if n <= 0 {
			t.Errorf("%s is counted %d times", reason, n)
		}
		sum += n
	}
	if sum != trace.Read {
		t.Errorf("%d accepted + %v refused is not the %d read", len(trace.Jobs), trace.Rejected, trace.Read)
	}
}

func checkRejected(t *testing.T, trace *Trace, want map[string]int64) {
	t.Helper()
	if !maps.Equal(trace.Rejected, want) {
		t.Errorf("refused %v, want %v", trace.Rejected, want)
	}
}

func job(id, submit int) string {
	return fmt.Sprintf("%d %d -1 60 4 -1 -1 4 -1 -1 1 1 1 -1 1 -1 -1 -1\n", id, submit)
}

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReader_CountsOnlyLinesNeitherBlankNorComment(t *testing.T) {
	t.Parallel()
	trace := readText(t, "\xef\xbb\xbf; MaxJobs: 9\r\n;\r\n\r\n  \t \r\n"+
		"  ; indented: comment\n"+job(1, 0)+"\n"+strings.TrimSuffix(job(2, 5), "\n")+" ; said later\n;last")
	if trace.Read != 2 || len(trace.Jobs) != 2 || trace.Jobs[0].Line != 6 || trace.Jobs[1].Line != 8 {
		t.Errorf("read %d: %+v", trace.Read, trace.Jobs)
	}
}

func TestReader_NeedsNeitherHeaderNorFinalNewline(t *testing.T) {
	t.Parallel()
	trace := readText(t, strings.TrimSuffix(job(1, 0), "\n"))
	if len(trace.Jobs) != 1 || trace.Header != newHeader() {
		t.Errorf("have %+v", trace)
	}
}

func TestReader_EmptyInputIsAnEmptyTrace(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", ";", "1"} {
		if trace := readText(t, text); len(trace.Jobs) != 0 {
			t.Errorf("%q gave %+v", text, trace.Jobs)
		}
	}
}

func TestReader_HeaderIsReadButNotTrusted(t *testing.T) {
	t.Parallel()
	trace := readText(t, "; MaxJobs: 1\n; MaxJobs: 77\n; Computer: Cray \x1b[31mred\x1b[0m\n;Installation:"+
		strings.Repeat("é", 300)+"\n; MaxProcs: -5\n; UnixStartTime: soon\n; Note: none\n"+
		job(1, 0)+job(2, 1)+strings.TrimSuffix(job(3, 2), "\n")+"; MaxProcs: 12\n")
	want := Header{
		Computer: "Cray [31mred[0m", Installation: strings.Repeat("é", maxHeaderText/2),
		MaxJobs: 1, MaxProcs: Unknown, UnixStartTime: Unknown,
	}
	if trace.Header != want || len(trace.Jobs) != 3 {
		t.Errorf("have %+v and %d jobs, want %+v", trace.Header, len(trace.Jobs), want)
	}
}

func TestReader_SecondLineWithAnIDIsRefused(t *testing.T) {
	t.Parallel()
	// 10 comes out of order, so both ways in which ids are kept are asked.
	trace := readText(t, job(5, 0)+job(6, 1)+job(5, 2)+job(20, 3)+job(10, 4)+job(10, 5)+job(6, 6)+job(7, 7))
	checkRejected(t, trace, map[string]int64{ReasonDuplicateID: 3})
	if len(trace.Jobs) != 5 {
		t.Errorf("accepted %+v", trace.Jobs)
	}
}

func TestReader_RefusedLineDoesNotTakeItsID(t *testing.T) {
	t.Parallel()
	bad := strings.Replace(job(1, 0), " 60 ", " -1 ", 1)
	trace := readText(t, bad+job(1, 5))
	checkRejected(t, trace, map[string]int64{ReasonRunTimeUnknown: 1})
}

func TestReader_OverlongLinesAreBoundedAndCounted(t *testing.T) {
	t.Parallel()
	blanks := strings.Repeat(" ", 3*MaxLineBytes)
	trace := readText(t, job(1, 0)+
		strings.Repeat("1 ", 2*MaxLineBytes)+"\n"+ // a job line too long to keep
		blanks+"\n"+ // blank after all
		";"+strings.Repeat("x", 5*MaxLineBytes)+"\n"+ // a comment after all
		blanks+"; comment\n"+
		blanks+job(2, 1)+
		job(3, 2)+strings.Repeat("x", 2*MaxLineBytes))
	checkRejected(t, trace, map[string]int64{ReasonLineTooLong: 3})
	if trace.Read != 5 || len(trace.Jobs) != 2 {
		t.Errorf("read %d, accepted %+v", trace.Read, trace.Jobs)
	}
}

func TestReader_LineOfExactlyTheLimitIsAccepted(t *testing.T) {
	t.Parallel()
	line := job(1, 0)
	trace := readText(t, strings.Repeat(" ", MaxLineBytes-len(line))+line+job(2, 1))
	if len(trace.Jobs) != 2 {
		t.Errorf("refused %v", trace.Rejected)
	}
}

func TestReader_JobsBeyondTheLimitAreCounted(t *testing.T) {
	t.Parallel()
	r, err := NewReader(strings.NewReader(job(1, 0) + job(2, 1) + job(3, 2) + job(2, 3) + job(4, 4)))
	if err != nil {
		t.Fatal(err)
	}
	r.maxJobs = 2
	trace := collect(r)
	checkSum(t, trace)
	checkRejected(t, trace, map[string]int64{ReasonTooManyJobs: 2, ReasonDuplicateID: 1})
}

func TestReader_StopsAtTheLimitOfBytes(t *testing.T) {
	t.Parallel()
	r, err := NewReader(strings.NewReader(job(1, 0) + job(2, 1) + job(3, 2)))
	if err != nil {
		t.Fatal(err)
	}
	r.left = int64(len(job(1, 0)))
	trace := collect(r)
	checkSum(t, trace)
	checkRejected(t, trace, map[string]int64{ReasonFileTooLong: 1})
}

func TestReader_GzipIsKnownByItsContent(t *testing.T) {
	t.Parallel()
	text := "; MaxProcs: 128\n" + job(1, 3) + job(2, 1) + "x\n"
	for name, content := range map[string][]byte{
		"plain.gz": []byte(text), "zipped.swf": zip(t, text),
		"two-members.swf.gz": append(zip(t, text[:30]), zip(t, text[30:])...),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		trace, err := Read(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(trace.Jobs) != 2 || trace.Jobs[0].ID != 2 || trace.Header.MaxProcs != 128 || trace.Rejected[ReasonTooFewColumns] != 1 {
			t.Errorf("%s: %+v", name, trace)
		}
	}
}

func TestReader_TruncatedGzipCountsWhatArrivedAndTheBreak(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 5_000 {
		text.WriteString(job(i*7919%100_003, i))
	}
	whole := zip(t, text.String())
	for cut := len(whole) - 1; cut > 20; cut -= 997 {
		r, err := NewReader(bytes.NewReader(whole[:cut]))
		if err != nil {
			t.Fatal(err)
		}
		trace := collect(r)
		checkSum(t, trace)
		checkRejected(t, trace, map[string]int64{ReasonTruncatedFile: 1})
		if cut > len(whole)/2 && len(trace.Jobs) < 1_000 {
			t.Errorf("of %d of %d bytes only %d jobs arrived", cut, len(whole), len(trace.Jobs))
		}
	}
}

func TestReader_DamagedGzipIsNeverFatal(t *testing.T) {
	t.Parallel()
	content := zip(t, strings.Repeat(job(1, 0), 100))
	content[len(content)-6] ^= 0xff // the checksum
	r, err := NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	trace := collect(r)
	checkSum(t, trace)
	checkRejected(t, trace, map[string]int64{ReasonDuplicateID: 99, ReasonUnreadableFile: 1})
}

func TestOpen_RefusesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stub := filepath.Join(dir, "stub.gz")
	if err := os.WriteFile(stub, []byte{0x1f, 0x8b, 8}, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "absent"), dir, stub} {
		trace, err := Read(path)
		if corehour.CodeOf(err) != CodeUnreadable || corehour.KindOf(err) != corehour.KindInvalid {
			t.Errorf("%s: have %+v, %v", path, trace, err)
		}
	}
}

func TestReader_NextKeepsSayingThatItIsAtTheEnd(t *testing.T) {
	t.Parallel()
	r, err := NewReader(strings.NewReader(job(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("have %v", err)
		}
	}
}

func FuzzReader_AcceptedAndRefusedAreWhatWasRead(f *testing.F) {
	f.Add([]byte(job(1, 0) + "; comment\n\n" + job(2, 1)))
	f.Add([]byte(good + "\r\n" + with(6, "NaN") + "\n" + with(8, "99999999999999999999")))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Add([]byte("\xef\xbb\xbf1\x002 3;4\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := NewReader(bytes.NewReader(content))
		if err != nil {
			return
		}
		trace := collect(r)
		checkSum(t, trace)
		seen := make(map[int64]bool)
		for i, j := range trace.Jobs {
			if seen[j.ID] || j.RunTime <= 0 || j.Units <= 0 || j.Duration() <= 0 || j.Duration() > corehour.MaxDuration ||
				i > 0 && j.Submit < trace.Jobs[i-1].Submit {
				t.Errorf("accepted %+v", j)
			}
			seen[j.ID] = true
			if used := j.Used(j.Units, j.Duration()); used <= 0 || used > corehour.Capacity(j.Units, j.Duration()) {
				t.Errorf("%+v uses %d us of CPU time", j, used)
			}
		}
	})
}

package swf

import (
	"compress/gzip"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/testenv"
)

// tally is a log in figures, counted without any code of this package.
type tally struct {
	read, jobs, noRunTime, zeroRunTime, overran int64
	users                                       map[string]bool
	cpuSeconds, requestedUnitMinutes            int64
	firstSubmit, lastSubmit                     int64
}

func tallyOf(t *testing.T, text string) tally {
	t.Helper()
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	sum := tally{users: make(map[string]bool), firstSubmit: 1 << 62}
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], ";") {
			continue
		}
		sum.read++
		run := number(f[3])
		switch run {
		case -1:
			sum.noRunTime++
			continue
		case 0:
			sum.zeroRunTime++
			continue
		}
		sum.jobs++
		sum.users[f[11]] = true
		units := number(f[7])
		if f[7] == "-1" {
			units = number(f[4])
		}
		asked := number(f[8])
		if f[8] == "-1" {
			asked = run
		} else if run > asked {
			sum.overran++
		}
		sum.cpuSeconds += units * run
		sum.requestedUnitMinutes += units * ((asked + 59) / 60)
		sum.firstSubmit = min(sum.firstSubmit, number(f[1]))
		sum.lastSubmit = max(sum.lastSubmit, number(f[1]))
	}
	return sum
}

func unzip(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRead_RealLogsAgreeWithAPlainCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file                         string
		read, jobs, maxJobs, overran int64
		users                        int
		rejected                     map[string]int64
	}{
		{"NASA-iPSC-1993-3.1-cln.swf.gz", 18_239, 18_066, 18_239, 0, 69,
			map[string]int64{ReasonRunTimeNotPositive: 173}},
		{"HPC2N-Seth-2002-first3170.swf.gz", 3_170, 3_145, 527_371, 320, 17,
			map[string]int64{ReasonRunTimeUnknown: 25}},
	} {
		path := testenv.DataFile(t, "demand", c.file)
		text := unzip(t, path)
		want := tallyOf(t, text)
		if want.read != c.read || want.jobs != c.jobs || want.overran != c.overran || len(want.users) != c.users ||
			want.noRunTime != c.rejected[ReasonRunTimeUnknown] || want.zeroRunTime != c.rejected[ReasonRunTimeNotPositive] {
			t.Fatalf("%s: the plain count gives %+v", c.file, want)
		}
		plain := filepath.Join(t.TempDir(), "plain.swf")
		if err := os.WriteFile(plain, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, plain} {
			trace, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			checkSum(t, trace)
			if trace.Read != c.read || !maps.Equal(trace.Rejected, c.rejected) || trace.Header.MaxJobs != c.maxJobs {
				t.Errorf("%s: read %d, refused %v, header %+v", c.file, trace.Read, trace.Rejected, trace.Header)
			}
			compareWithTally(t, trace, want)
		}
	}
}

func compareWithTally(t *testing.T, trace *Trace, want tally) {
	t.Helper()
	users := make(map[corehour.AccountID]bool)
	got := tally{jobs: int64(len(trace.Jobs))}
	for _, j := range trace.Jobs {
		users[j.Consumer()] = true
		got.cpuSeconds += int64(j.Units) * j.RunTime
		got.requestedUnitMinutes += int64(j.Units) * int64(j.Duration())
	}
	last := trace.Jobs[len(trace.Jobs)-1]
	if got.jobs != want.jobs || got.cpuSeconds != want.cpuSeconds ||
		got.requestedUnitMinutes != want.requestedUnitMinutes || len(users) != len(want.users) ||
		trace.Jobs[0].Submit != want.firstSubmit || last.Submit != want.lastSubmit {
		t.Errorf("have %+v and %d users, want %+v", got, len(users), want)
	}
}

package orderbook_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/corehour/corehour/orderbook"
)

const commandsPerSequence = 2_000

// TestBook_AgreesWithNaiveModelOnRandomSequences makes 100 sequences of 2,000
// commands; -rapid.checks makes more. On failure it prints rapid's seed, which
// -rapid.seed takes, and the shortest sequence of commands found that still fails.
func TestBook_AgreesWithNaiveModelOnRandomSequences(t *testing.T) {
	doNotShrink(t)
	seen := map[string]int{}
	failures := map[uint64]string{} // rapid runs what fails more than once
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "sequence")
		q := newSequence(seed, commandsPerSequence)
		s, failed := q.run(newBook)
		if failed != "" {
			if failures[seed] == "" {
				failures[seed] = q.shorten(newBook, 20*time.Second)
			}
			t.Fatalf("%s", failures[seed])
		}
		for what, n := range s.seen {
			seen[what] += n
		}
	})
	if t.Failed() {
		return
	}
	// A generator that stops reaching a rule would make this test say nothing.
	for _, what := range mustBeSeen() {
		if seen[what] < 10 {
			t.Errorf("%q happened only %d times", what, seen[what])
		}
	}
	t.Logf("%v", seen)
}

func newBook(grid *orderbook.Grid, _ *hourly) market { return orderbook.New(grid) }

// doNotShrink keeps rapid from trying smaller numbers for that of a sequence:
// they are other sequences. shorten does better.
func doNotShrink(t *testing.T) {
	f := flag.Lookup("rapid.shrinktime")
	before := f.Value.String()
	if err := f.Value.Set("0s"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// FuzzBook reads commands from bytes, one or two for each choice. Inputs are
// long, so run it with -fuzzminimizetime=10x, or most of the time goes into
// shortening.
func FuzzBook(f *testing.F) {
	for seed := range uint64(48) {
		random := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 600)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 12
		data = data[:min(len(data), limit)]
		next := func(n int) int {
			v := 0
			for most := 1; most < n && len(data) > 0; most *= 256 {
				v = v*256 + int(data[0])
				data = data[1:]
			}
			return v % n
		}
		shape := newShape(next)
		shape.crowd, shape.base = 0, shape.ticks
		s := newSession(shape, newBook, next)
		failed := attempt(func() {
			for len(data) > 0 {
				s.step(next)
			}
		})
		if failed != "" {
			t.Fatalf("%s\nafter\n%s", failed, s.history())
		}
	})
}

// sequence is a session that can be run again: each command is made of one
// number, so that one can be left out without changing the others.
type sequence struct {
	shape    uint64
	commands []uint64
}

func newSequence(seed uint64, length int) sequence {
	random := rand.New(rand.NewPCG(seed, 1))
	q := sequence{shape: random.Uint64(), commands: make([]uint64, length)}
	for i := range q.commands {
		q.commands[i] = random.Uint64()
	}
	return q
}

// run returns the session and how it failed.
func (q sequence) run(newMarket newMarket) (s *session, failed string) {
	random := rand.New(rand.NewPCG(q.shape, 2))
	s = newSession(newShape(random.IntN), newMarket, random.IntN)
	failed = attempt(func() {
		for _, seed := range q.commands[:min(len(q.commands), s.length())] {
			s.steps++
			s.step(rand.New(rand.NewPCG(seed, 3)).IntN)
		}
	})
	return s, failed
}

// length bounds the commands of a session: those of a crowd take longer.
func (s *session) length() int { return commandsPerSequence / (1 + s.crowd/50) }

// violation is what a session panics with when something does not hold.
type violation string

// attempt returns the violation, or the panic of the book, that do ended with.
func attempt(do func()) (failed string) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			failed = string(v)
		default:
			failed = fmt.Sprintf("panic: %v\n%s", v, topOfStack())
		}
	}()
	do()
	return ""
}

// topOfStack is the functions of the book that a panic went through.
func topOfStack() string {
	var b strings.Builder
	lines := strings.Split(string(debug.Stack()), "\n")
	for i, line := range lines {
		if strings.Contains(line, "/orderbook/") && !strings.Contains(line, "_test.go") {
			fmt.Fprintf(&b, "  %s %s\n", lines[i-1], strings.TrimSpace(line))
		}
	}
	return b.String()
}

// shorten describes the shortest failing sequence that it finds: of the given one
// without the commands that can be left out, and of some new short ones, because
// what fails at all often fails soon.
func (q sequence) shorten(newMarket newMarket, limit time.Duration) string {
	began := time.Now()
	best := q.reduced(newMarket, began.Add(limit/2))
	for seed := uint64(0); time.Since(began) < limit; seed++ {
		short := newSequence(seed, 12)
		if _, failed := short.run(newMarket); failed == "" {
			continue
		}
		short = short.reduced(newMarket, began.Add(limit))
		is, _ := short.run(newMarket)
		if was, _ := best.run(newMarket); len(is.log) < len(was.log) {
			best = short
		}
	}
	s, failed := best.run(newMarket)
	return fmt.Sprintf("%s\nafter\n%s", failed, s.history())
}

// reduced leaves out commands, halves first and single ones last, as long as the
// sequence still fails.
func (q sequence) reduced(newMarket newMarket, until time.Time) sequence {
	s, _ := q.run(newMarket)
	q.commands = q.commands[:s.steps]
	for size := max(1, len(q.commands)/2); size > 0 && time.Now().Before(until); {
		removed := false
		for at := 0; at < len(q.commands) && time.Now().Before(until); {
			less := q
			less.commands = slices.Delete(slices.Clone(q.commands), at, min(at+size, len(q.commands)))
			if shorter, failed := less.run(newMarket); failed != "" {
				less.commands = less.commands[:shorter.steps]
				q, removed = less, true
			} else {
				at += size
			}
		}
		if size > 1 || !removed {
			size /= 2
		}
	}
	return q
}

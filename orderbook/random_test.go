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
				failures[seed] = s.shortest(failed, 20*time.Second)
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
		least := 10
		if what == "turns alternate" || what == "crowd purged" {
			least = 1 // about a dozen times: a chance that ten are too few once in a while
		}
		if seen[what] < least {
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
		s := newSession(shape, newBook)
		failed := attempt(func() {
			s.begin(next)
			for len(data) > 0 {
				s.step(next)
			}
		})
		if failed != "" {
			t.Fatalf("%s", s.shortest(failed, 5*time.Second))
		}
	})
}

// sequence is a session by numbers: one for its shape, one for each command.
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
	s = newSession(newShape(random.IntN), newMarket)
	failed = attempt(func() {
		s.begin(random.IntN)
		for _, seed := range q.commands[:min(len(q.commands), s.length())] {
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

// again does commands in a new session.
func (s *session) again(commands []command) (other *session, failed string) {
	other = newSession(s.shape, s.newMarket)
	failed = attempt(func() {
		for _, c := range commands {
			other.unchecked = c.unchecked
			other.run(c.do, c.format, c.args...)
		}
	})
	return other, failed
}

// shortest describes a session that failed, without the commands that it fails
// without: it leaves out halves first and single ones last.
func (s *session) shortest(failed string, limit time.Duration) string {
	until := time.Now().Add(limit)
	shortest := s
	for size := len(s.log) / 2; size > 0; {
		removed := false
		for at := 0; at < len(shortest.log) && time.Now().Before(until); {
			less := slices.Delete(slices.Clone(shortest.log), at, min(at+size, len(shortest.log)))
			if other, fails := s.again(less); fails != "" {
				shortest, failed, removed = other, fails, true
			} else {
				at += size
			}
		}
		if size > 1 || !removed {
			size /= 2
		}
	}
	return fmt.Sprintf("%s\nafter\n%s", failed, shortest.history())
}

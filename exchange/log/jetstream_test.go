package log_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/testenv"
)

// logs runs a test on an embedded log and on one of a server.
func logs(t *testing.T, run func(t *testing.T, open func() *log.JetStream)) {
	for name, config := range map[string]func(t *testing.T) log.Config{
		"embedded": func(t *testing.T) log.Config { return log.Config{Dir: t.TempDir()} },
		"server": func(t *testing.T) log.Config {
			url, _ := testenv.NATS(t)
			return log.Config{URL: url}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			run(t, func() *log.JetStream {
				t.Helper()
				l, err := log.Open(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				return l
			})
		})
	}
}

// appendAll appends without waiting and returns what became of each.
func appendAll(l *log.JetStream, after uint64, payloads ...[]byte) []error {
	errs := make([]error, len(payloads))
	done := make(chan struct{})
	for i, payload := range payloads {
		l.Append(payload, after+uint64(i), func(err error) {
			errs[i] = err
			done <- struct{}{}
		})
	}
	for range payloads {
		<-done
	}
	return errs
}

func read(t *testing.T, l *log.JetStream) (payloads []string) {
	t.Helper()
	_, last, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = l.Read(t.Context(), 1, last, func(sequence uint64, payload []byte) error {
		if payloads = append(payloads, string(payload)); sequence != uint64(len(payloads)) {
			return fmt.Errorf("sequence %d is the %dth", sequence, len(payloads))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return payloads
}

func TestJetStream_KeepsWhatItAcknowledgedAcrossARestart(t *testing.T) {
	logs(t, func(t *testing.T, open func() *log.JetStream) {
		l := open()
		if first, last, err := l.Bounds(t.Context()); first != 1 || last != 0 || err != nil {
			t.Fatalf("an empty log is [%d, %d] (%v)", first, last, err)
		}
		want := []string{"one", "two", "three", "four"}
		if errs := appendAll(l, 0, []byte("one"), []byte("two"), []byte("three"), []byte("four")); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
		l.Close()
		l = open()
		defer l.Close()
		if got := read(t, l); !slices.Equal(got, want) {
			t.Errorf("it holds %q", got)
		}
		if payload, err := l.At(t.Context(), 3); string(payload) != "three" || err != nil {
			t.Errorf("the third is %q (%v)", payload, err)
		}
		if _, err := l.At(t.Context(), 5); corehour.CodeOf(err) != log.CodeCorrupt {
			t.Errorf("the fifth is read as %v", err)
		}
	})
}

func TestJetStream_RefusesWhoIsNotAtTheEnd(t *testing.T) {
	logs(t, func(t *testing.T, open func() *log.JetStream) {
		l := open()
		defer l.Close()
		if errs := appendAll(l, 0, []byte("one"), []byte("two")); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
		// Of a flight that begins at the wrong place nothing stays.
		for _, flight := range [][]error{appendAll(l, 1, []byte("late")), appendAll(l, 7, []byte("early"), []byte("next"))} {
			for _, err := range flight {
				if !errors.Is(err, log.ErrMoved) {
					t.Errorf("refused with %v", err)
				}
			}
		}
		if got := read(t, l); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("it holds %q", got)
		}
	})
}

func TestJetStream_FollowerSeesWhatOthersAppend(t *testing.T) {
	url, _ := testenv.NATS(t)
	open := func() *log.JetStream {
		l, err := log.Open(t.Context(), log.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	writer, reader := open(), open()
	defer writer.Close()
	defer reader.Close()
	if errs := appendAll(writer, 0, []byte("one"), []byte("two")); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var seen []string
	enough := errors.New("enough")
	err := reader.Follow(ctx, 2, func(sequence uint64, payload []byte) error {
		seen = append(seen, fmt.Sprint(sequence, " ", string(payload)))
		if sequence == 2 {
			if errs := appendAll(writer, 2, []byte("three")); errs[0] != nil {
				return errs[0]
			}
			return nil
		}
		return enough
	})
	if !errors.Is(err, enough) || !slices.Equal(seen, []string{"2 two", "3 three"}) {
		t.Fatalf("%q, %v", seen, err)
	}
}

func TestJetStream_PurgeMovesTheBeginning(t *testing.T) {
	logs(t, func(t *testing.T, open func() *log.JetStream) {
		l := open()
		if errs := appendAll(l, 0, []byte("one"), []byte("two"), []byte("three")); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
		if err := l.Purge(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		l.Close()
		l = open()
		defer l.Close()
		if first, last, err := l.Bounds(t.Context()); first != 3 || last != 3 || err != nil {
			t.Errorf("the log is [%d, %d] (%v)", first, last, err)
		}
		if errs := appendAll(l, 3, []byte("four")); errs[0] != nil {
			t.Error(errs[0])
		}
	})
}

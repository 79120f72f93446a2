package log_test

import (
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// chain is batches that follow one another, and where the log stands after them.
func chain(sizes ...int) (payloads [][]byte, at log.Position) {
	for i, n := range sizes {
		entries := make([]log.Entry, n)
		for j := range entries {
			entries[j] = log.Entry{Kind: 1, At: corehour.Instant(i), Body: []byte{0xa0}}
		}
		var payload []byte
		payload, at = at.Encode("test", entries)
		payloads = append(payloads, payload)
	}
	return payloads, at
}

// followAll reads batches as the log of sequences 1, 2, 3 ...
func followAll(payloads [][]byte) (at log.Position, err error) {
	for i, payload := range payloads {
		if _, at, err = at.Follow(uint64(i+1), payload); err != nil {
			return at, err
		}
	}
	return at, nil
}

func TestPosition_FollowsWhatWasEncoded(t *testing.T) {
	payloads, end := chain(3, 0, 1)
	at, err := followAll(payloads)
	if err != nil || at != end || at.Sequence != 3 || at.Commands != 4 {
		t.Fatalf("stands at %+v, want %+v (%v)", at, end, err)
	}
}

func TestPosition_NamesTheBatchThatIsNotWhatItWas(t *testing.T) {
	other := []log.Entry{{Kind: 2, Body: []byte{0xa0}}}
	for name, test := range map[string]struct {
		change func([][]byte) [][]byte
		names  string
	}{
		"lost":      {func(p [][]byte) [][]byte { return append(p[:1], p[2:]...) }, "log sequence 2: the batch does not follow"},
		"doubled":   {func(p [][]byte) [][]byte { return append(p[:2], p[1:]...) }, "log sequence 3: the batch does not follow"},
		"reordered": {func(p [][]byte) [][]byte { p[1], p[2] = p[2], p[1]; return p }, "log sequence 2: the batch does not follow"},
		"replaced": {func(p [][]byte) [][]byte {
			p[1], _ = log.Position{}.Encode("test", other)
			return p
		}, "log sequence 2: the batch does not follow"},
		"cut short": {func(p [][]byte) [][]byte { p[1] = p[1][:len(p[1])-1]; return p }, "log sequence 2: the batch does not decode"},
	} {
		t.Run(name, func(t *testing.T) {
			payloads, _ := chain(1, 2, 3, 4)
			_, err := followAll(test.change(payloads))
			if corehour.CodeOf(err) != log.CodeCorrupt || !strings.Contains(err.Error(), test.names) {
				t.Errorf("read as %v, want %q", err, test.names)
			}
		})
	}
}

func TestPosition_RefusesAGapAndAWrongCount(t *testing.T) {
	payloads, at := chain(1, 1)
	_, after, err := log.Position{}.Follow(1, payloads[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := after.Follow(3, payloads[1]); err == nil || !strings.Contains(err.Error(), "log sequence 2: the batch is missing") {
		t.Errorf("a gap is read as %v", err)
	}
	after.Commands++
	if _, _, err := after.Follow(2, payloads[1]); err == nil || !strings.Contains(err.Error(), "says that 1 commands came before it, the log has 2") {
		t.Errorf("a wrong count is read as %v", err)
	}
	_ = at
}

// Every bit of a batch is covered by what the next one names.
func TestPosition_NoBitOfABatchCanChange(t *testing.T) {
	payloads, _ := chain(2, 1)
	for i := range payloads[0] {
		for bit := range 8 {
			payloads[0][i] ^= 1 << bit
			if _, err := followAll(payloads); corehour.CodeOf(err) != log.CodeCorrupt {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
			payloads[0][i] ^= 1 << bit
		}
	}
}

func FuzzDecode(f *testing.F) {
	payloads, _ := chain(2, 0)
	f.Add(payloads[0])
	f.Add(payloads[1])
	f.Fuzz(func(t *testing.T, payload []byte) {
		b, err := log.Decode(payload)
		if err == nil && b.Version == 0 {
			t.Fatal("a batch without a version is accepted")
		}
	})
}

package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// copiedLog is a copy of the log that something has happened to.
type copiedLog struct {
	simLink
	batches [][]byte
}

func (l copiedLog) Bounds(context.Context) (first, last uint64, err error) {
	return 1, uint64(len(l.batches)), nil
}

func (l copiedLog) At(_ context.Context, sequence uint64) ([]byte, error) {
	if sequence < 1 || sequence > uint64(len(l.batches)) {
		return nil, log.Corrupt(sequence, "the batch is missing from the log")
	}
	return l.batches[sequence-1], nil
}

func (l copiedLog) Read(_ context.Context, from, to uint64, each func(sequence uint64, payload []byte) error) error {
	for next := from; next <= to; next++ {
		if err := each(next, l.batches[next-1]); err != nil {
			return err
		}
	}
	return nil
}

// loseTheEnd is a power cut after which the log has lost batches that it said were
// on disk. Whoever has answered a command of them must refuse to run, and where
// the projection has seen them, everybody. Then the log is put back.
func (s *sim) loseTheEnd() {
	s.cutAllPower()
	projected, err := s.store.inside.position(context.Background())
	if err != nil {
		s.violate(badProjection, "%v", err)
	}
	n := pick(s, s.nodes)
	most, least := uint64(len(s.log.batches)), uint64(1)
	if n.answered > projected.Sequence { // the mark alone knows of some
		most, least = min(most, n.answered), max(1, projected.Sequence)
	}
	if most <= least {
		return
	}
	kept := least + s.random.Uint64N(most-least)
	s.note("the log has lost all after %d of %d", kept, len(s.log.batches))
	for _, n := range s.nodes {
		_, err := n.open(copiedLog{simLink{n}, s.log.batches[:kept:kept]})
		s.note("%s: on what is left: %v", n.name, err)
		if n.answered > kept || projected.Sequence > kept {
			s.mustRefuse(n, err, kept+1)
		}
	}
}

// mustRefuse is what damage must lead to: an error that names a sequence from the
// damage on.
func (s *sim) mustRefuse(n *simNode, err error, from uint64) {
	if err == nil {
		s.violate(unnoticed, "%s runs on a log that is damaged from %d on", n.name, from)
	}
	if errors.Is(err, errSimulated) {
		return // its disk or the database has failed, so it does not run either
	}
	var named uint64
	_, text, found := strings.Cut(err.Error(), "log sequence ")
	if _, bad := fmt.Sscan(strings.TrimRight(strings.SplitN(text, " ", 2)[0], ":"), &named); !found || bad != nil ||
		corehour.CodeOf(err) != CodeCorrupt || named < from {
		s.violate(unnoticed, "%s: the log is damaged from %d on, the node says: %v", n.name, from, err)
	}
}

// damageTheLog alters a copy of the log at the end of a run and starts every node
// on it: it refuses to run, or what is damaged lies before its snapshot and its
// state is the right one.
func (s *sim) damageTheLog() {
	batches := slices.Clone(s.log.batches)
	at := s.random.IntN(len(batches))
	what := ""
	switch s.random.IntN(5) {
	case 0:
		what = "altered"
		altered := slices.Clone(batches[at])
		altered[s.random.IntN(len(altered))] ^= 1 << s.random.IntN(8)
		batches[at] = altered
	case 1:
		what = "lost"
		batches = slices.Delete(batches, at, at+1)
	case 2:
		what = "repeated"
		batches = slices.Insert(batches, at+1, batches[at])
		at++
	case 3:
		what = "swapped with the next one"
		if at+1 == len(batches) {
			return
		}
		batches[at], batches[at+1] = batches[at+1], batches[at]
	case 4:
		what = "the last one that is left"
		batches = batches[:at]
	}
	s.note("damage: batch %d is %s", at+1, what)
	want := s.nodes[0].x.state.Hash()
	for _, n := range s.nodes {
		x, err := n.open(copiedLog{simLink{n}, batches})
		s.note("%s: on the damaged log: %v", n.name, err)
		if err != nil {
			s.mustRefuse(n, err, uint64(at+1))
			continue
		}
		if got := x.state.Hash(); got != want {
			s.violate(unnoticed, "batch %d is %s, and %s runs with another state", at+1, what, n.name)
		}
		if loaded := n.snapshots.entries; len(loaded) == 0 {
			s.violate(unnoticed, "batch %d is %s, and %s runs without a snapshot beyond it", at+1, what, n.name)
		}
	}
}

package exchange

import (
	"os"
	"testing"

	"github.com/corehour/corehour"
)

// v1_batch.cbor is a message of the log as the first release wrote it, and
// v1_state.cbor the image of the state that it led to there: a running lease with
// a charge, resting bids with all the conditions of the time, kept answers.
func readV1(t *testing.T) (entries []entry, state []byte) {
	t.Helper()
	payload, err := os.ReadFile("testdata/v1_batch.cbor")
	if err != nil {
		t.Fatal(err)
	}
	b, err := decodeBatch(payload)
	if err != nil {
		t.Fatal(err)
	}
	if state, err = os.ReadFile("testdata/v1_state.cbor"); err != nil {
		t.Fatal(err)
	}
	return b.Entries, state
}

func TestState_ImageOfTheFirstReleaseIsTheStateThatItsLogLeadsTo(t *testing.T) {
	entries, image := readV1(t)
	replayed := NewState()
	if _, err := replayed.applyEntries(entries); err != nil {
		t.Fatal(err)
	}
	restored, err := decodeState(image)
	if err != nil {
		t.Fatal(err)
	}
	checkInvariants(t, restored)
	if restored.Hash() != replayed.Hash() {
		t.Fatalf("restored\n%+v\nreplayed\n%+v", describeState(restored), describeState(replayed))
	}
	if len(restored.bids) != 2 || !restored.bids[3].allOrNone || restored.bids[4].MaxTakeOrPay != corehour.WholeShare {
		t.Fatalf("bids %s", describeState(restored))
	}
	snap := snapshot{State: image}
	if err := snap.compare(replayed); err != nil {
		t.Errorf("verify refuses the old snapshot: %v", err)
	}
	replayed.fee++
	if err := snap.compare(replayed); err == nil {
		t.Error("verify takes another state for that of the old snapshot")
	}
}

// A client that repeats a request of before the upgrade gets the answer of then,
// because a command without new fields is the same bytes.
func TestState_ClientIDsOfTheFirstReleaseAreRemembered(t *testing.T) {
	entries, image := readV1(t)
	s, err := decodeState(image)
	if err != nil {
		t.Fatal(err)
	}
	repeats := 0
	for _, e := range entries {
		cmd, err := decodeCommand(e.Kind, e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if again := marshal(cmd); string(again) != string(e.Body) {
			t.Errorf("%+v was %x, is %x", cmd, e.Body, again)
		}
		if _, keyed := s.keyOf(cmd); !keyed {
			continue
		}
		if reply := s.apply(s.now, cmd, marshal(cmd)); !reply.Repeat {
			t.Errorf("%+v is answered anew: %+v", cmd, reply)
		}
		repeats++
	}
	if repeats != 7 {
		t.Fatalf("%d commands of the log have a client id or a reference", repeats)
	}
}

func TestState_ImageOfAnUnknownVersionIsRefused(t *testing.T) {
	for _, image := range [][]byte{nil, {0x80}, {0x92, 3}, {0x92, 0x18, 2}, []byte("text"), {0x92, 2}} {
		if _, err := decodeState(image); err == nil {
			t.Errorf("%x is taken for a state", image)
		}
	}
}

func describeState(s *State) string {
	text := ""
	for _, id := range sortedKeys(s.bids) {
		text += describeReply(&Reply{Bid: id, Open: s.bids[id].open}) + string(marshal(s.bids[id].image())) + "\n"
	}
	return text
}

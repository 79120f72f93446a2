package exchange

import (
	"os"
	"testing"

	"github.com/corehour/corehour/exchange/log"
)

// v1_batch.cbor is a message of the log as the first version of the program wrote
// it: a running lease with a charge, resting bids with all the conditions of the
// time, seven commands with a client id or a reference.
func TestState_LogOfTheFirstVersionIsReplayedAndItsClientIDsAreRemembered(t *testing.T) {
	payload, err := os.ReadFile("testdata/v1_batch.cbor")
	if err != nil {
		t.Fatal(err)
	}
	b, err := log.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	s := NewState()
	if _, err := s.applyEntries(b.Entries); err != nil {
		t.Fatal(err)
	}
	checkInvariants(t, s)
	if len(s.bids) != 2 || !s.bids[3].allOrNone || len(s.leases) != 3 {
		t.Fatalf("%d bids, %d leases", len(s.bids), len(s.leases))
	}
	repeats := 0
	for _, e := range b.Entries {
		cmd, err := decodeCommand(Kind(e.Kind), e.Body)
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

func TestState_ImageOfAnotherVersionIsRefused(t *testing.T) {
	other := marshal(&image{Version: imageVersion + 1})
	for _, encoded := range [][]byte{nil, {0x80}, []byte("text"), other, other[:len(other)-1]} {
		if _, err := decodeState(encoded); err == nil {
			t.Errorf("%x is taken for a state", encoded)
		}
	}
}

package exchange_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

func TestSubmitAll_AnswersInOrderAndEachForItself(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	defer n.close()
	market(t, x)
	unknown := aBid("", 1)
	unknown.Product = "gpu"
	var commands []exchange.Command
	for i := range 100 {
		commands = append(commands, aBid(fmt.Sprintf("b-%d", i), 1))
	}
	commands[50] = unknown
	first, err := x.SubmitAll(t.Context(), commands)
	if err != nil || len(first) != len(commands) {
		t.Fatalf("%d answers, %v", len(first), err)
	}
	for i, reply := range first {
		switch {
		case i == 50 && reply.Code != exchange.CodeUnknownProduct:
			t.Errorf("the bid for what is not traded: %+v", reply)
		case i != 50 && reply.Rejected():
			t.Errorf("bid %d: %+v", i, reply)
		case i > 0 && i != 50 && reply.Bid <= first[0].Bid:
			t.Errorf("bid %d is %s, the first is %s", i, reply.Bid, first[0].Bid)
		}
	}
	again, err := x.SubmitAll(t.Context(), commands)
	if err != nil {
		t.Fatal(err)
	}
	for i, reply := range again {
		if i != 50 && (!reply.Repeat || reply.Bid != first[i].Bid) {
			t.Errorf("bid %d again: %+v, first %+v", i, reply, first[i])
		}
	}
}

// Commands that are sent together share appends: a hundred are in a few batches.
func TestSubmitAll_SharesAppends(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	defer n.close()
	_, before := x.StateHash()
	if _, err := x.SubmitAll(t.Context(), make100Ticks()); err != nil {
		t.Fatal(err)
	}
	if _, after := x.StateHash(); after-before > 50 {
		t.Errorf("100 commands took %d appends", after-before)
	}
}

func make100Ticks() []exchange.Command {
	commands := make([]exchange.Command, 100)
	for i := range commands {
		commands[i] = exchange.Tick{}
	}
	return commands
}

func TestSubmitAll_WhereOneCannotBeInTheLogNoneIsSent(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	defer n.close()
	market(t, x)
	_, before := x.StateHash()
	large := aBid("", 1)
	for i := range 2 * exchange.MaxCommandBytes / corehour.MaxNameBytes {
		large.Providers.Deny = append(large.Providers.Deny, corehour.AccountID(fmt.Sprintf("%0*d", corehour.MaxNameBytes, i)))
	}
	_, err := x.SubmitAll(t.Context(), []exchange.Command{aBid("fits", 1), large})
	if corehour.KindOf(err) != corehour.KindTooLarge || !strings.Contains(err.Error(), "command 2 of 2") {
		t.Errorf("%v", err)
	}
	if _, after := x.StateHash(); after != before {
		t.Errorf("the log went from %d to %d", before, after)
	}
}

func TestSubmitAll_OfAnExchangeThatStopsIsRefused(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	n.close()
	var refusal *corehour.Error
	if _, err := x.SubmitAll(t.Context(), make100Ticks()); !errors.As(err, &refusal) || refusal.Kind != corehour.KindUnavailable {
		t.Errorf("%v", err)
	}
}

// The state machine by itself reaches the state that an exchange reaches.
func TestApply_GivesWhatAnExchangeGives(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	defer n.close()
	market(t, x)
	commands := []exchange.Command{aBid("a", 1), aBid("a", 1), aBid("b", 2)}
	alone, events := exchange.NewState(), 0
	for _, c := range append(marketCommands(), commands...) {
		p, err := exchange.Prepare(corehour.InstantOf(n.cfg.Clock.Now()), c)
		if err != nil {
			t.Fatal(err)
		}
		_, emitted := alone.Apply(p)
		events += emitted
	}
	if _, err := x.SubmitAll(t.Context(), commands); err != nil {
		t.Fatal(err)
	}
	if hash, _ := x.StateHash(); hash != alone.Hash() || events == 0 {
		t.Errorf("%s with %d events, the exchange has %s", alone.Hash(), events, hash)
	}
}

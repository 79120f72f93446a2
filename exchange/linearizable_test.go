package exchange_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/testenv"
)

// An operation of a client, and what it was answered.
type (
	asked struct {
		op     string // place, cancel, funds
		units  corehour.Units
		bid    corehour.BidID
		client string
	}
	answered struct {
		unknown         bool
		code            corehour.Code
		bid             corehour.BidID
		available, held corehour.Money
	}
)

// account is all that the model knows: one consumer's funds and open bids, and the
// number of the last bid.
type accountModel struct {
	available, held corehour.Money
	last            corehour.BidID
	open            []openBid
}

type openBid struct {
	id   corehour.BidID
	hold corehour.Money
}

const modelPrice = corehour.Price(10_000_000) // a bid is for one hour, and nobody sells

func (m accountModel) step(in asked, out answered) (bool, accountModel) {
	switch in.op {
	case "funds":
		return out.unknown || m.available == out.available && m.held == out.held, m
	case "cancel":
		i := slices.IndexFunc(m.open, func(b openBid) bool { return b.id == in.bid })
		if i < 0 {
			return out.unknown || out.code == exchange.CodeUnknownBid, m
		}
		m.available, m.held = m.available+m.open[i].hold, m.held-m.open[i].hold
		m.open = slices.Delete(slices.Clone(m.open), i, i+1)
		return out.unknown || out.code == "", m
	}
	hold := corehour.Cost(modelPrice, in.units, 60)
	if hold > m.available {
		return out.unknown || out.code == exchange.CodeInsufficientFunds, m
	}
	m.last++
	m.available, m.held = m.available-hold, m.held+hold
	m.open = append(slices.Clone(m.open), openBid{m.last, hold})
	return out.unknown || out.code == "" && out.bid == m.last, m
}

var accounts = porcupine.Model{
	Init: func() any { return accountModel{available: 100 * corehour.NanoPerUnit} },
	Step: func(state, in, out any) (bool, any) {
		ok, next := state.(accountModel).step(in.(asked), out.(answered))
		return ok, next
	},
	Equal: func(a, b any) bool {
		x, y := a.(accountModel), b.(accountModel)
		return x.available == y.available && x.held == y.held && x.last == y.last && slices.Equal(x.open, y.open)
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

// history is what all clients saw, by one clock.
type history struct {
	mu    sync.Mutex
	began time.Time
	ops   []porcupine.Operation
}

// note adds an operation. One whose outcome is unknown may take effect at any time
// from its call on.
func (h *history) note(client int, in asked, out answered, call, back time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	until := int64(back.Sub(h.began))
	if out.unknown {
		until = int64(time.Hour)
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: int64(call.Sub(h.began)), Return: until})
}

// threeNodes are exchanges on one log in a cluster, each on its own server of it
// through a link that can be cut.
func threeNodes(t *testing.T) (nodes [3]*node, links [3]*testenv.Link) {
	t.Helper()
	cluster := testenv.NATSCluster(t)
	for i := range nodes {
		server, err := url.Parse(cluster.URL(i))
		if err != nil {
			t.Fatal(err)
		}
		links[i] = testenv.NewLink(t, server.Host)
		nodes[i] = newNode(t, sqlite(t))
		nodes[i].cfg.Log = log.Config{URL: "nats://" + links[i].Address(), Replicas: 3, OnlyThisServer: true}
		nodes[i].cfg.Writer = fmt.Sprint("node-", i)
		nodes[i].open()
		t.Cleanup(func() { _ = nodes[i].x.Close() }) // one that was cut off may have given up
	}
	return nodes, links
}

// TestCluster_HistoriesAreLinearizableThroughPartitions lets clients place,
// cancel and query at random nodes while links are cut and healed, and lets
// porcupine look for an order of all that they saw.
func TestCluster_HistoriesAreLinearizableThroughPartitions(t *testing.T) {
	nodes, links := threeNodes(t)
	submit(t, nodes[0].x,
		exchange.DefineProduct{Product: corehour.Product{ID: "cpu", Unit: "one vCPU"}},
		exchange.OpenAccount{Account: "c", Org: "c"},
		exchange.Deposit{Account: "c", Amount: 100 * corehour.NanoPerUnit, Reference: "w"})
	h := &history{began: time.Now()}
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { partition(ctx, links) })
	for client := range 6 {
		work.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(client)))
			for i := 0; ctx.Err() == nil; i++ {
				h.operate(ctx, client, i, nodes[random.IntN(3)].x, random)
			}
		})
	}
	work.Wait()
	unknown := 0
	for _, op := range h.ops {
		if op.Output.(answered).unknown {
			unknown++
		}
	}
	t.Logf("%d operations, %d with an unknown outcome", len(h.ops), unknown)
	if len(h.ops) < 100 || unknown == 0 {
		t.Errorf("too little was seen: %d operations, %d with an unknown outcome", len(h.ops), unknown)
	}
	if result := porcupine.CheckOperationsTimeout(accounts, h.ops, time.Minute); result != porcupine.Ok {
		t.Fatalf("no order of these %d operations explains what the clients saw: %s", len(h.ops), result)
	}
}

// partition cuts one node off after the other, each for a while.
func partition(ctx context.Context, links [3]*testenv.Link) {
	for i := 0; ctx.Err() == nil; i++ {
		pause(ctx, 800*time.Millisecond)
		links[i%3].Cut()
		pause(ctx, 1200*time.Millisecond)
		links[i%3].Heal()
	}
	for _, l := range links {
		l.Heal()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// operate asks one thing of a node and notes what came of it. The client gives up
// soon, which leaves the outcome of a command open.
func (h *history) operate(ctx context.Context, client, i int, x *exchange.Exchange, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	in, out := asked{op: "funds"}, answered{}
	switch n := random.IntN(10); {
	case n < 4:
		in = asked{op: "place", units: corehour.Units(1 + random.IntN(2000)), client: fmt.Sprint(client, "-", i)}
	case n < 7:
		in = asked{op: "cancel", bid: corehour.BidID(1 + random.IntN(60))}
	}
	call := time.Now()
	var reply exchange.Reply
	var view exchange.AccountView
	var err error
	switch in.op {
	case "place":
		reply, err = x.Submit(ctx, exchange.PlaceBid{
			Product: "cpu", Consumer: "c", Units: in.units, Duration: 60, Limit: modelPrice, LatestEnd: day.Add(1440), ClientID: in.client,
		})
	case "cancel":
		reply, err = x.Submit(ctx, exchange.CancelBid{Consumer: "c", Bid: in.bid})
	default:
		view, err = x.Account(ctx, "c")
	}
	back := time.Now()
	if err != nil && in.op == "funds" {
		return // a question that was not answered says nothing
	}
	out = answered{unknown: err != nil, code: reply.Code, bid: reply.Bid, available: view.Available, held: view.Held}
	h.note(client, in, out, call, back)
	if err != nil {
		pause(ctx, 50*time.Millisecond)
	}
}

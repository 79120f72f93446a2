package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/testenv"
)

// clusterNode is one of three servers on one log and one database.
type clusterNode struct {
	dir string
	env []string
	*process
}

func (n *clusterNode) serve(t *testing.T) {
	t.Helper()
	n.process = start(t, childMain, "1", n.env, "serve", "--data-dir", n.dir, "--listen", n.listen())
}

// listen is the address that the node had before, so that clients find it again.
func (n *clusterNode) listen() string {
	if n.process == nil {
		return "127.0.0.1:0"
	}
	return strings.TrimPrefix(n.base, "http://")
}

// answeredOrder is what a client keeps of an order that it was answered.
type answeredOrder struct {
	client string
	placed api.BidPlaced
}

// TestCluster_KillsEachNodeInTurnUnderLoad runs three servers on a NATS cluster of
// three, kills one after the other together with its NATS server while clients
// order at any node, and afterwards finds every acknowledged order once, the same
// at all nodes.
func TestCluster_KillsEachNodeInTurnUnderLoad(t *testing.T) {
	nats, postgres := testenv.NATSCluster(t), testenv.PostgresURL(t)
	dir := t.TempDir()
	key := filepath.Join(dir, keyFile)
	var nodes [3]*clusterNode
	for i := range nodes {
		nodes[i] = &clusterNode{dir: filepath.Join(dir, fmt.Sprint("node-", i)), env: []string{
			"DATABASE_URL=" + postgres, "NATS_URL=" + nats.URLs(), "COREHOUR_TOKEN_KEY=" + key,
		}}
		nodes[i].serve(t)
	}
	token := func(role api.Role, account string) string {
		return strings.TrimSpace(output(t, "token", "--token-key", key, "--role", string(role), "--account", account))
	}
	at := func(node int, token string) *client {
		return &client{base: nodes[node].base, token: token, http: http.DefaultClient}
	}
	openMarket(t, at(0, token(api.RoleOperator, "operator")), at(1, token(api.RoleFinance, "finance")), at(2, token(api.RoleProvider, "north")))

	consumer := token(api.RoleConsumer, "lab")
	ctx, cancel := context.WithCancel(t.Context())
	var journals [8][]answeredOrder
	var clients sync.WaitGroup
	for i := range journals {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if order, ok := orderAnywhere(ctx, fmt.Sprintf("%d-%d", i, n), random, func() *client { return at(random.IntN(3), consumer) }); ok {
					journals[i] = append(journals[i], order)
				}
			}
		})
	}
	for i := range nodes {
		time.Sleep(time.Second)
		nodes[i].kill()
		nats.Stop(i)
		time.Sleep(2 * time.Second)
		nats.Start(i)
		nodes[i].serve(t)
	}
	time.Sleep(time.Second)
	cancel()
	clients.Wait()

	orders := 0
	for _, journal := range journals {
		orders += len(journal)
	}
	t.Logf("%d orders were acknowledged", orders)
	if orders < 100 {
		t.Errorf("only %d orders were acknowledged", orders)
	}
	seen := map[corehour.BidID]string{}
	for i, journal := range journals {
		for _, order := range journal {
			if other, twice := seen[order.placed.Bid]; twice {
				t.Fatalf("%s and %s are both %s", other, order.client, order.placed.Bid)
			}
			seen[order.placed.Bid] = order.client
			var again api.BidPlaced
			at(i%3, consumer).want(t, http.MethodPost, "/v1/bids", clusterBid(order.client), &again)
			if fmt.Sprint(again) != fmt.Sprint(order.placed) {
				t.Fatalf("%s was answered with\n%+v, now with\n%+v", order.client, order.placed, again)
			}
		}
	}
	sameEverywhere(t, nodes[:], at(0, consumer))
}

// sameEverywhere stops the nodes and compares the states that their snapshots and
// the log lead to.
func sameEverywhere(t *testing.T, nodes []*clusterNode, consumer *client) {
	t.Helper()
	var page api.Page[exchange.BidView]
	consumer.want(t, http.MethodGet, "/v1/bids?limit=1", nil, &page)
	for _, n := range nodes {
		n.stop()
	}
	var hash string
	for _, n := range nodes {
		stdout, stderr, code := corehourCommand(t, n.env, "verify", "--data-dir", n.dir)
		if code != 0 {
			t.Fatalf("verify: %d\n%s%s", code, stdout, stderr)
		}
		if is := line(t, stdout, "state_hash"); hash != "" && is != hash {
			t.Errorf("one node stands at %s, another at %s", hash, is)
		} else {
			hash = is
		}
		if line(t, stdout, "projected") != line(t, stdout, "batches") || line(t, stdout, "snapshots") == "0" {
			t.Errorf("after the stop:\n%s", stdout)
		}
	}
}

func openMarket(t *testing.T, operator, finance, provider *client) {
	t.Helper()
	operator.want(t, http.MethodPost, "/v1/products", api.DefineProduct{ID: "cpu.standard", Unit: "1 vCPU"}, nil)
	operator.want(t, http.MethodPost, "/v1/regions", map[string]string{
		"id": "europe-north1", "country": "FI", "continent": "europe", "zone": "FI"}, nil)
	for _, account := range []string{"north", "lab"} {
		operator.want(t, http.MethodPost, "/v1/accounts", map[string]string{"account": account, "org": account, "name": account}, nil)
	}
	finance.want(t, http.MethodPost, "/v1/accounts/lab/deposits", map[string]string{"amount": "1000000", "reference": "wire-1"}, nil)
	carbon := corehour.CarbonRate(93)
	provider.want(t, http.MethodPost, "/v1/offers", api.PlaceOffer{
		Product: "cpu.standard", Region: "europe-north1", Units: 1_000_000, To: corehour.InstantOf(time.Now()).CeilMinute().Add(1440),
		Price: price("0.05"), Carbon: &carbon, SLA: corehour.SLABasic,
	}, nil)
}

func clusterBid(client string) api.PlaceBid {
	return api.PlaceBid{ClientID: client, BidTerms: api.BidTerms{Product: "cpu.standard", Units: 1, Duration: 60, Limit: price("0.06"), MinSLA: corehour.SLABasic}}
}

// orderAnywhere places one order, at another node where one does not answer, until
// it is answered or the context ends.
func orderAnywhere(ctx context.Context, name string, random *rand.Rand, pick func() *client) (answeredOrder, bool) {
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		order := answeredOrder{client: name}
		err := pick().call(attempt, http.MethodPost, "/v1/bids", clusterBid(name), &order.placed)
		cancel()
		var problem *problemError
		switch {
		case err == nil:
			return order, true
		case errors.As(err, &problem) && problem.Status != http.StatusServiceUnavailable:
			panic(fmt.Sprintf("order %s: %v", name, err))
		}
		time.Sleep(time.Duration(random.IntN(50)) * time.Millisecond)
	}
	return answeredOrder{}, false
}

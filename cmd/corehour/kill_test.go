package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/exchange"
)

var kills = flag.Int("kills", 5, "how often the server is killed under load; make soak does it 200 times")

const killClients = 32

// TestKill_NothingAcknowledgedIsLostOrDoubled kills the server again and again
// while 32 clients order. Each client keeps a journal of what it was answered and
// repeats what was not, under the same name. Afterwards every journal entry is in
// the exchange, once, and answered as it was.
func TestKill_NothingAcknowledgedIsLostOrDoubled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	node := &clusterNode{dir: dir}
	node.serve(t)
	base := node.base
	openMarket(t, as(t, base, dir, api.RoleOperator, "operator"), as(t, base, dir, api.RoleFinance, "finance"), as(t, base, dir, api.RoleProvider, "north"))
	consumer := as(t, base, dir, api.RoleConsumer, "lab")
	consumer.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: killClients}}

	ctx, cancel := context.WithCancel(t.Context())
	var journals [killClients][]answeredOrder
	var clients sync.WaitGroup
	for i := range journals {
		random := rand.New(rand.NewPCG(11, uint64(i)))
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if order, ok := orderAnywhere(ctx, fmt.Sprintf("%d-%d", i, n), random, func() *client { return consumer }); ok {
					journals[i] = append(journals[i], order)
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(13, 0))
	for range *kills {
		time.Sleep(time.Duration(20+random.IntN(300)) * time.Millisecond)
		node.kill()
		node.serve(t)
	}
	time.Sleep(200 * time.Millisecond)
	cancel()
	clients.Wait()

	bids := everyBid(t, consumer)
	acknowledged := 0
	for _, journal := range journals {
		acknowledged += len(journal)
		for _, order := range journal {
			view, found := bids[order.client]
			if !found || view.ID != order.placed.Bid || view.Filled != order.placed.Filled {
				t.Fatalf("%s was answered with %+v, the exchange has %+v", order.client, order.placed, view)
			}
		}
	}
	t.Logf("%d kills, %d orders acknowledged, %d in the exchange", *kills, acknowledged, len(bids))
	if acknowledged < 5**kills || len(bids) > acknowledged+killClients {
		t.Errorf("%d orders were acknowledged, the exchange has %d", acknowledged, len(bids))
	}
	node.stop()
	if stdout, stderr, code := corehourCommand(t, nil, "verify", "--data-dir", dir); code != 0 {
		t.Errorf("verify: %d\n%s%s", code, stdout, stderr)
	}
}

// everyBid is all bids by their client ids, each of which must be there once.
func everyBid(t *testing.T, consumer *client) map[string]exchange.BidView {
	t.Helper()
	bids := map[string]exchange.BidView{}
	for after := corehour.BidID(0); ; {
		var page api.Page[exchange.BidView]
		path := "/v1/bids?limit=500"
		if after > 0 {
			path += "&after=" + after.String()
		}
		consumer.want(t, http.MethodGet, path, nil, &page)
		for _, b := range page.Items {
			if other, twice := bids[b.ClientID]; twice {
				t.Fatalf("%s and %s have one client id, %s", other.ID, b.ID, b.ClientID)
			}
			bids[b.ClientID] = b
			after = b.ID
		}
		if len(page.Items) == 0 || page.Next == "" {
			return bids
		}
	}
}

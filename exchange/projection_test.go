package exchange_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// A projection that is not where this node's log has led it ends the node: what it
// would write next to it could not be right.
func TestExchange_ProjectionThatWentBackEndsTheNode(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	market(t, x)
	if err := x.Projected(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := n.cfg.DB.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE exchange_position SET sequence = sequence - 1`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, x, exchange.Tick{}, aBid("late", 1))
	select {
	case <-x.Failed():
	case <-time.After(20 * time.Second):
		t.Fatal("the node goes on")
	}
	if _, err := x.Submit(t.Context(), exchange.Tick{}); corehour.KindOf(err) != corehour.KindUnavailable {
		t.Errorf("it answers %v", err)
	}
	if err := x.Close(); corehour.CodeOf(err) != exchange.CodeCorrupt || !strings.Contains(err.Error(), "went back") {
		t.Errorf("it ends with %v", err)
	}
}

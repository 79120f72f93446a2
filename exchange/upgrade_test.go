package exchange_test

import (
	"context"
	"database/sql"
	"os"
	"testing"
	"testing/fstest"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// Orders that the first release wrote are read as what they were.
func TestExchange_RowsOfTheFirstReleaseAreReadable(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		first, err := os.ReadFile("migrations/00001_exchange.sql")
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context(), "exchange", fstest.MapFS{"00001_exchange.sql": {Data: first}}); err != nil {
			t.Fatal(err)
		}
		err = db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO exchange_bids VALUES
				(1, 'cpu', 'c', 'c', 9, 60, 0, 90, 50000, '{}', '{}', NULL, 0, 1, 0, 1, 5, 1, 0, '', 1, 4, '', 0),
				(2, 'cpu', 'c', 'c', 9, 60, 0, 90, 50000, '{}', '{}', 250, 0, 1, 0, 1, 5, 1, 0, '', 1, 0, 'filled', 5)`)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO exchange_offers VALUES
				(1, 'cpu', 'p', 'p', 'r1', 9, 0, 90, 50000, 400, 1, 0, 1, 1, 0, '', 1, '', 0)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		n := newNode(t, db)
		x := n.open()
		defer n.close()
		bids, err := x.Bids(t.Context(), exchange.BidQuery{Consumer: "c"})
		if err != nil || len(bids) != 2 || bids[0].Left != 60 || bids[0].Open != 4 || bids[1].Left != 0 || bids[1].Filled != 9 {
			t.Fatalf("%+v %v", bids, err)
		}
		for _, b := range bids {
			if b.MaxTakeOrPay != corehour.WholeShare || b.MinPiece != 0 || b.Group != 0 || b.PostOnly || b.Countries.Allow != nil {
				t.Errorf("%+v", b)
			}
		}
		offer, err := x.Offer(t.Context(), 1)
		if err != nil || offer.Carbon != 400 || offer.Energy != 0 || offer.Zone != "" || offer.PostOnly {
			t.Errorf("%+v %v", offer, err)
		}
	})
}

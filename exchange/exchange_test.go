package exchange_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func submit(t testing.TB, x *exchange.Exchange, commands ...exchange.Command) (last exchange.Reply) {
	t.Helper()
	for _, c := range commands {
		reply, err := x.Submit(t.Context(), c)
		if err != nil || reply.Rejected() {
			t.Fatalf("%+v: %+v %v", c, reply, err)
		}
		last = reply
	}
	return last
}

var day = corehour.InstantOf(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).FloorMinute()

// market opens a product, a region, a provider with an offer and a consumer with funds.
func market(t testing.TB, x *exchange.Exchange) {
	t.Helper()
	submit(t, x, marketCommands()...)
}

func marketCommands() []exchange.Command {
	return []exchange.Command{
		exchange.DefineProduct{Product: corehour.Product{ID: "cpu", Unit: "one vCPU"}},
		exchange.DefineRegion{Region: corehour.Region{ID: "r1", Country: "FI", Continent: "europe", Zone: "FI"}},
		exchange.OpenAccount{Account: "p", Org: "p"}, exchange.OpenAccount{Account: "c", Org: "c"},
		exchange.Deposit{Account: "c", Amount: 1000 * corehour.NanoPerUnit, Reference: "w"},
		exchange.PlaceOffer{Product: "cpu", Provider: "p", Region: "r1", Units: 1000, To: day.Add(1440), Price: 50_000_000},
	}
}

func aBid(client string, units corehour.Units) exchange.PlaceBid {
	return exchange.PlaceBid{
		Product: "cpu", Consumer: "c", Units: units, Duration: 60, Limit: 60_000_000, LatestEnd: day.Add(1440), ClientID: client,
	}
}

func TestExchange_ConcurrentOrdersAreAllAnsweredAndReadable(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		n := newNode(t, db)
		x := n.open()
		defer n.close()
		market(t, x)
		const clients, each = 16, 25
		var wait sync.WaitGroup
		for c := range clients {
			wait.Go(func() {
				for i := range each {
					reply, err := x.Submit(t.Context(), aBid(fmt.Sprintf("%d-%d", c, i), 1))
					if err != nil || reply.Rejected() {
						t.Errorf("%+v %v", reply, err)
						return
					}
					view, err := x.Bid(t.Context(), reply.Bid)
					if err != nil || view.ClientID != fmt.Sprintf("%d-%d", c, i) || view.Filled != 1 {
						t.Errorf("read after the answer: %+v %v", view, err)
					}
				}
			})
		}
		wait.Wait()
		var views []exchange.LeaseView
		for after := corehour.LeaseID(0); ; after = views[len(views)-1].ID {
			page, err := x.Leases(t.Context(), exchange.LeaseQuery{Provider: "p", After: after, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			views = append(views, page...)
		}
		if len(views) != clients*each {
			t.Fatalf("%d leases, want %d", len(views), clients*each)
		}
	})
}

func TestExchange_RestartResumesExactly(t *testing.T) {
	for _, how := range []string{"from its snapshot", "from the log"} {
		t.Run(how, func(t *testing.T) {
			n := newNode(t, sqlite(t))
			x := n.open()
			market(t, x)
			first := submit(t, x, aBid("job", 7), exchange.AcceptLease{Provider: "p", Lease: 1}, aBid("job-2", 1001))
			before, sequence := x.StateHash()
			n.close()
			if how == "from the log" {
				if err := os.RemoveAll(n.cfg.SnapshotDir); err != nil {
					t.Fatal(err)
				}
			}
			x = n.open()
			defer n.close()
			if after, at := x.StateHash(); after != before || at != sequence {
				t.Fatalf("state %s at %d became %s at %d", before, sequence, after, at)
			}
			again, err := x.Submit(t.Context(), aBid("job-2", 1001))
			if err != nil || !again.Repeat || again.Bid != first.Bid || again.Open != first.Open {
				t.Fatalf("the same client id after a restart: %+v %v, first answer %+v", again, err, first)
			}
			if next := submit(t, x, aBid("job-3", 1)); next.Bid != 3 {
				t.Fatalf("the next bid is %s", next.Bid)
			}
		})
	}
}

func TestExchange_BadSnapshotIsPassedOverForTheLog(t *testing.T) {
	n := newNode(t, sqlite(t))
	market(t, n.open())
	before, _ := n.x.StateHash()
	n.close()
	files, err := filepath.Glob(filepath.Join(n.cfg.SnapshotDir, "*.snapshot"))
	if err != nil || len(files) != 1 {
		t.Fatalf("snapshots: %v %v", files, err)
	}
	flipByte(t, files[0])
	x := n.open()
	defer n.close()
	if after, _ := x.StateHash(); after != before {
		t.Fatalf("state %s became %s", before, after)
	}
	if !strings.Contains(n.notes.String(), "a snapshot is passed over") {
		t.Fatalf("nobody was told: %s", n.notes.String())
	}
}

func flipByte(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExchange_RefusesALogThatDoesNotLeadToTheProjection(t *testing.T) {
	n := newNode(t, sqlite(t))
	market(t, n.open())
	n.close()

	t.Run("lost", func(t *testing.T) {
		lost := *n
		lost.cfg.Log.Dir = t.TempDir()
		lost.cfg.SnapshotDir = t.TempDir()
		refused(t, lost.cfg, "there is no log")
	})
	t.Run("another one", func(t *testing.T) {
		other := newNode(t, sqlite(t))
		other.cfg.Writer = "another"
		market(t, other.open())
		other.close()
		cfg := other.cfg
		cfg.DB = n.cfg.DB
		refused(t, cfg, "not the one that was here when the projection was written from it")
	})
}

func refused(t *testing.T, c exchange.Config, why string) {
	t.Helper()
	x, err := exchange.Open(t.Context(), c)
	if err == nil {
		_ = x.Close()
		t.Fatal("the exchange runs on it")
	}
	var e *corehour.Error
	if !errors.As(err, &e) || e.Code != exchange.CodeCorrupt || !strings.Contains(err.Error(), why) {
		t.Fatalf("refused with %v, want %q", err, why)
	}
}

func TestVerify_GivesTheLiveHashAndComparesSnapshots(t *testing.T) {
	n := newNode(t, sqlite(t))
	market(t, n.open())
	submit(t, n.x, aBid("a", 3), exchange.Tick{})
	live, _ := n.x.StateHash()
	n.close()
	v, err := exchange.Verify(t.Context(), n.cfg, func(uint64, uint64) {})
	if err != nil || v.StateHash != live || v.Snapshots != 1 || v.Commands != 8 {
		t.Fatalf("%+v %v, live %s", v, err, live)
	}
	if _, err := n.cfg.DB.Reader().QueryContext(t.Context(), `SELECT 1`); err != nil {
		t.Fatal(err)
	}
	tamper(t, n.cfg.DB)
	if _, err := exchange.Verify(t.Context(), n.cfg, func(uint64, uint64) {}); exchange.CodeCorrupt != corehour.CodeOf(err) {
		t.Fatalf("a tampered position passes: %v", err)
	}
}

// Snapshots come from the log while the exchange trades; Verify compares each with
// the state that all of the log leads to.
func TestExchange_SnapshotsAreMadeWhileItTrades(t *testing.T) {
	n := newNode(t, sqlite(t))
	n.cfg.SnapshotEvery = 20
	x := n.open()
	market(t, x)
	deadline := time.Now().Add(20 * time.Second)
	for i, made := 0, 0; made < 3; i++ {
		submit(t, x, aBid(fmt.Sprint(i), 1))
		files, err := filepath.Glob(filepath.Join(n.cfg.SnapshotDir, "*.snapshot"))
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d snapshots after %d commands: %v\n%s", len(files), i, err, n.notes.String())
		}
		made = len(files)
	}
	before, _ := x.StateHash()
	n.close()
	v, err := exchange.Verify(t.Context(), n.cfg, func(uint64, uint64) {})
	if err != nil || v.Snapshots != 3 || v.StateHash != before {
		t.Fatalf("%+v %v, live %s", v, err, before)
	}
	x = n.open()
	defer n.close()
	if after, _ := x.StateHash(); after != before {
		t.Fatalf("state %s became %s", before, after)
	}
}

func TestExchange_ExternalLogSurvivesTheNode(t *testing.T) {
	n := newNode(t, sqlite(t))
	url, _ := testenv.NATS(t)
	n.cfg.Log = log.Config{URL: url}
	market(t, n.open())
	before, _ := n.x.StateHash()
	n.close()
	x := n.open()
	defer n.close()
	if after, _ := x.StateHash(); after != before {
		t.Fatalf("state %s became %s", before, after)
	}
}

// TestExchange_TwoWritersOfOneLogFollowEachOther lets two nodes append to one log
// in turn, each with a database of its own, and both with the same one, where
// every batch must be projected once.
func TestExchange_TwoWritersOfOneLogFollowEachOther(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared database %t", shared), func(t *testing.T) {
			db, other := sqlite(t), sqlite(t)
			if shared {
				other = db
			}
			url, _ := testenv.NATS(t)
			one, two := newNode(t, db), newNode(t, other)
			one.cfg.Log = log.Config{URL: url}
			two.cfg.Log = one.cfg.Log
			market(t, one.open())
			defer one.close()
			two.open()
			defer two.close()
			for i := range 20 {
				submit(t, one.x, aBid(fmt.Sprint("one-", i), 1))
				if reply := submit(t, two.x, aBid(fmt.Sprint("two-", i), 1)); reply.Bid != corehour.BidID(2*i+2) {
					t.Fatalf("bid %d of two writers is %s", 2*i+2, reply.Bid)
				}
			}
			submit(t, one.x, exchange.Tick{})
			submit(t, two.x, exchange.Tick{})
			submit(t, one.x, exchange.Tick{})
			a, _ := one.x.StateHash()
			b, _ := two.x.StateHash()
			if a != b {
				t.Fatalf("two nodes of one log stand at %s and %s", a, b)
			}
			for _, n := range []*node{one, two} {
				totals, err := n.x.Totals(t.Context())
				if err != nil || totals.Leases != 40 {
					t.Fatalf("%+v %v", totals, err)
				}
			}
			var matches int
			err := db.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM outbox WHERE type = $1`, string(corehour.EventLeaseMatched)).Scan(&matches)
			if err != nil || matches != 40 {
				t.Fatalf("%d matches in the outbox, %v", matches, err)
			}
		})
	}
}

func TestExchange_StopsTakingCommandsAndFinishesThoseItHas(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	market(t, x)
	var pending []*exchange.Pending
	for i := range 200 {
		p, err := x.Enqueue(t.Context(), aBid(fmt.Sprint(i), 1))
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	n.close()
	for i, p := range pending {
		if reply, err := p.Wait(t.Context()); err != nil || reply.Bid != corehour.BidID(i+1) {
			t.Fatalf("command %d: %+v %v", i, reply, err)
		}
	}
	if _, err := x.Submit(t.Context(), exchange.Tick{}); corehour.KindOf(err) != corehour.KindUnavailable {
		t.Fatalf("a stopped exchange answers %v", err)
	}
}

func TestExchange_CloseGivesUpWhereTheLogIsAway(t *testing.T) {
	url, stop := testenv.NATS(t)
	n := newNode(t, sqlite(t))
	n.cfg.Log, n.cfg.DrainWithin = log.Config{URL: url}, 200*time.Millisecond
	x := n.open()
	if err := x.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := x.Ready(t.Context()); corehour.KindOf(err) != corehour.KindUnavailable {
		t.Errorf("ready without its log: %v", err)
	}
	p, err := x.Enqueue(t.Context(), exchange.Tick{})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err == nil {
		t.Error("closed as if all was well")
	}
	if _, err := p.Wait(t.Context()); err == nil {
		t.Error("a command that is in no log was answered")
	}
}

func TestExchange_TextThatIsNotUTF8NeverReachesTheLog(t *testing.T) {
	n := newNode(t, sqlite(t))
	x := n.open()
	defer n.close()
	_, before := x.StateHash()
	_, err := x.Submit(t.Context(), exchange.OpenAccount{Account: "a", Org: "a", Name: "\xff"})
	if corehour.KindOf(err) != corehour.KindInvalid {
		t.Fatalf("answered %v", err)
	}
	if _, after := x.StateHash(); after != before {
		t.Fatal("it is in the log")
	}
}

func TestExchange_TimePassesWithoutCommands(t *testing.T) {
	n := newNode(t, sqlite(t))
	clock := newClock()
	n.cfg.Clock, n.cfg.TickEvery = clock, time.Millisecond
	x := n.open()
	defer n.close()
	market(t, x)
	unmet := aBid("", 1)
	unmet.MinSLA = corehour.SLAPremium
	submit(t, x, unmet)
	clock.advance(24 * time.Hour)
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		view, err := x.Bid(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if view.Closed == corehour.CloseWindowPassed {
			return
		}
	}
	t.Fatal("the bid is still open a day later")
}

func tamper(t *testing.T, db *database.DB) {
	t.Helper()
	err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE exchange_position SET hash = $1`, strings.Repeat("00", 32))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

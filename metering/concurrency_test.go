package metering_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/metering"
)

const racers = 8

// race runs fn in several goroutines at once, each with a node of its own.
func (w *world) race(fn func(racer int, node *metering.Service)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for racer := range racers {
		node := w.node(nil)
		wg.Go(func() {
			<-gate
			fn(racer, node)
		})
	}
	close(gate)
	wg.Wait()
}

// tally counts results over all racers, per record id and outcome.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[string]int
}

func (c *tally) add(results []metering.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]map[string]int{}
	}
	for _, r := range results {
		key := r.RecordID
		if key == "" {
			key = r.Lease.String()
		}
		if c.counts[key] == nil {
			c.counts[key] = map[string]int{}
		}
		outcome := string(r.Status)
		if r.Status == metering.StatusRejected {
			outcome = string(r.Code)
		}
		c.counts[key][outcome]++
	}
}

func TestReport_SameRecordsFromManyNodesAreAcceptedOnce(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		const rounds, size = 10, 20
		w.lease(7, prov)
		w.lease(8, prov)
		w.clock.set(at(150))
		var c tally
		w.race(func(racer int, node *metering.Service) {
			for round := range rounds {
				batch := make([]metering.Record, size)
				for i := range batch {
					// Each racer in an order of its own.
					n := (i*7 + racer*3) % size
					batch[i] = rec(fmt.Sprintf("r-%d-%d", round, n), corehour.LeaseID(7+n%2), 0, 1, corehour.CPUTime(n))
				}
				results, err := node.Report(w.ctx, prov, batch)
				if err != nil {
					t.Error(err)
					return
				}
				c.add(results)
			}
		})
		if len(c.counts) != rounds*size {
			t.Fatalf("%d records were answered", len(c.counts))
		}
		for id, n := range c.counts {
			if n["accepted"] != 1 || n["repeated"] != racers-1 {
				t.Errorf("%s: %v", id, n)
			}
		}
		w.mustAgree()
	})
}

func TestReport_OneNameForManyLeasesIsAcceptedOnce(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		const rounds = 20
		for id := corehour.LeaseID(1); id <= racers; id++ {
			w.lease(id, prov)
		}
		w.clock.set(at(150))
		var c tally
		w.race(func(racer int, node *metering.Service) {
			for round := range rounds {
				results, err := node.Report(w.ctx, prov, []metering.Record{
					rec(fmt.Sprintf("r-%d", round), corehour.LeaseID(racer+1), 0, 1, 1),
				})
				if err != nil {
					t.Error(err)
					return
				}
				c.add(results)
			}
		})
		for id, n := range c.counts {
			if n["accepted"] != 1 || n["record_id_reused"] != racers-1 {
				t.Errorf("%s: %v", id, n)
			}
		}
		w.mustAgree()
	})
}

func TestReport_ParallelRecordsNeverExceedTheHour(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.clock.set(at(150))
		var c tally
		w.race(func(racer int, node *metering.Service) {
			for hour := range corehour.Instant(3) {
				// Two of them fill the hour.
				results, err := node.Report(w.ctx, prov, []metering.Record{
					rec(fmt.Sprintf("r-%d-%d", hour, racer), 7, hour*60, hour*60+30, cpu(4, 30)/2),
				})
				if err != nil {
					t.Error(err)
					return
				}
				for i := range results {
					results[i].RecordID = fmt.Sprintf("hour-%d", hour)
				}
				c.add(results)
			}
		})
		for hour, fit := range map[string]int{"hour-0": 4, "hour-1": 4, "hour-2": 2} {
			if n := c.counts[hour]; n["accepted"] != fit || n["exceeds_capacity"] != racers-fit {
				t.Errorf("%s: %v, want %d accepted", hour, n, fit)
			}
		}
		w.mustAgree()
	})
}

func TestClose_RacingWithReportsIsTheLastWord(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		const leases = 12
		for id := corehour.LeaseID(1); id <= leases; id++ {
			w.lease(id, prov)
			w.take(w.ended(id, corehour.StatusCompleted, at(150)))
		}
		w.clock.set(at(10_000))
		var c tally
		w.race(func(racer int, node *metering.Service) {
			for id := corehour.LeaseID(1); id <= leases; id++ {
				var err error
				switch racer {
				case 0:
					var results []metering.Result
					results, err = node.Close(w.ctx, prov, []corehour.LeaseID{id, leases + 1 - id})
					c.add(results)
				case 1:
					_, err = node.CloseDue(w.ctx, 1)
				default:
					batch := make([]metering.Record, leases)
					for i := range batch {
						batch[i] = rec(fmt.Sprintf("r-%d-%d-%d", racer, id, i), corehour.LeaseID(i+1), 0, 1, 1)
					}
					_, err = node.Report(w.ctx, prov, batch)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		feed := w.mustAgree()
		for id := corehour.LeaseID(1); id <= leases; id++ {
			if feed[id] == nil || feed[id].closed == nil {
				t.Errorf("%s is not closed", id)
			}
			if n := c.counts[id.String()]; n["accepted"] > 1 || n["accepted"]+n["repeated"] != 2 {
				t.Errorf("%s: closing was answered %v", id, n)
			}
		}
	})
}

// The races above must find out when what they test is not there: behind the
// service's back the provider's row becomes a view whose updates lock nothing.
func TestRace_FindsThatTheLockIsMissing(t *testing.T) {
	// SQLite has one writer at a time: there is no lock to take away.
	w := newWorld(t, testenv.Open(t, database.Config{URL: testenv.PostgresURL(t)}))
	const rounds = 100
	for id := corehour.LeaseID(1); id <= rounds; id++ {
		w.lease(id, prov)
	}
	w.clock.set(at(150))
	w.exec(`ALTER TABLE metering_providers RENAME TO metering_providers_away`)
	w.exec(`CREATE VIEW metering_providers AS SELECT * FROM metering_providers_away`)
	w.exec(`CREATE FUNCTION lock_nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`)
	w.exec(`CREATE TRIGGER lock_nothing INSTEAD OF UPDATE ON metering_providers FOR EACH ROW EXECUTE FUNCTION lock_nothing()`)
	for id := corehour.LeaseID(1); id <= rounds; id++ {
		w.race(func(racer int, node *metering.Service) {
			r := rec(fmt.Sprintf("r-%d-%d", id, racer), id, 0, 60, cpu(4, 60))
			if _, err := node.Report(w.ctx, prov, []metering.Record{r}); err != nil {
				t.Error(err)
			}
		})
		if u := w.usage(id); u.Used > cpu(4, 60) {
			t.Logf("without the lock an hour was overfilled in round %d", id)
			return
		}
	}
	t.Errorf("%d rounds without the lock went well: the races above prove nothing", rounds)
}

package orderbook_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

var rewrite = flag.Bool("rewrite", false, "write what the book does into the transcripts")

// TestBook_DoesWhatTheTranscriptsSay runs testdata/*.txt: commands, a line of
// four dashes, what the book did, an empty line. The comments in them are the
// rules of the exchange.
func TestBook_DoesWhatTheTranscriptsSay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			have := runTranscript(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal([]byte(have), want) {
				t.Errorf("the book did something else; have:\n%s", have)
			}
		})
	}
}

// TestMatchingPage_QuotesItsExamples keeps the page of rules true: every code
// block of it that has commands in it stands in a transcript word by word, and
// no transcript is left out.
func TestMatchingPage_QuotesItsExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/matching.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	unquoted, texts := map[string]bool{}, map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		unquoted[file], texts[file] = true, string(text)
	}
	for i, block := range strings.Split(string(page), "```") {
		if i%2 == 0 || !strings.Contains(block, "----\n") {
			continue
		}
		quote, found := strings.TrimPrefix(block, "\n"), false
		for file, text := range texts {
			if strings.Contains(text, quote) {
				found = true
				delete(unquoted, file)
			}
		}
		if !found {
			t.Errorf("no transcript has this:\n%s", quote)
		}
	}
	for file := range unquoted {
		t.Errorf("the page quotes nothing of %s", file)
	}
}

// runTranscript copies a transcript with the output replaced by what happens.
func runTranscript(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	r := newRunner(t)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i] + "\n")
		switch line := lines[i]; {
		case line == "----":
			out.WriteString(r.output.String())
			r.output.Reset()
			for i+1 < len(lines) && lines[i+1] != "" {
				if i++; lines[i] == "----" {
					t.Fatalf("line %d: no empty line before these commands", i+1)
				}
			}
		case line != "" && !strings.HasPrefix(line, "#"):
			r.run(line)
		}
	}
	if r.output.Len() > 0 {
		t.Fatalf("the last commands have no ----; they did:\n%s", r.output.String())
	}
	return out.String()
}

// runner executes the commands of a transcript and collects what they did.
type runner struct {
	t       *testing.T
	grid    *orderbook.Grid
	book    *orderbook.Book
	now     corehour.Minute
	arrival uint64
	// References stay when an order leaves the book, because what they then find
	// is part of what a transcript shows.
	bidRefs   map[corehour.BidID]orderbook.BidRef
	offerRefs map[corehour.OfferID]orderbook.OfferRef
	// splittable bids are those whose remaining time is worth telling.
	splittable map[corehour.BidID]bool
	// Interned names. They outlive a new-book.
	orgs, providers, regions names
	zones                    map[string]orderbook.ZoneIndex
	output                   strings.Builder
}

func newRunner(t *testing.T) *runner {
	r := &runner{t: t, orgs: names{}, providers: names{}, regions: names{}}
	r.newBook()
	return r
}

func (r *runner) newBook() {
	r.grid = orderbook.NewGrid()
	r.book, r.now, r.arrival = orderbook.New(r.grid), 0, 0
	r.bidRefs, r.offerRefs = map[corehour.BidID]orderbook.BidRef{}, map[corehour.OfferID]orderbook.OfferRef{}
	r.splittable = map[corehour.BidID]bool{}
	r.zones = map[string]orderbook.ZoneIndex{}
}

func (r *runner) printf(format string, args ...any) { fmt.Fprintf(&r.output, format+"\n", args...) }

// run executes one line. Which kind of command it is decides who knows its name.
func (r *runner) run(line string) {
	r.t.Helper()
	name, a := parseCommand(r.t, line)
	switch {
	case r.runOrder(name, a), r.runCapacity(name, a), r.runQuestion(name, a), r.runRestore(name, a):
		a.checkUsed()
	default:
		r.t.Fatalf("unknown command: %s", line)
	}
}

// runOrder knows what consumers and providers do with their orders.
func (r *runner) runOrder(name string, a *arguments) bool {
	switch name {
	case "offer":
		o := r.offer(a)
		ref, done := r.book.PlaceOffer(r.now, &o)
		r.offerRefs[o.ID] = ref
		if done.Refused {
			r.printf("%s is refused", o.ID)
		} else if len(done.Fills) > 0 {
			r.report(done)
		}
	case "bid":
		r.placeBid(r.bid(a))
	case "cancel-offer":
		id := a.offerID()
		r.printf("%s: %t", id, r.book.CancelOffer(r.offerRefs[id]))
	case "cancel-bid":
		id := a.bidID()
		open, ok := r.book.CancelBid(r.bidRefs[id])
		r.printf("%s: %t, %d open", id, ok, open)
	case "reduce-bid":
		id := a.bidID()
		if done, ok := r.book.ReduceBid(r.now, r.bidRefs[id], a.units()); ok {
			r.reportFills("takes", done.Fills)
			r.reportDropped(done)
			r.reportStanding(id)
		} else {
			r.printf("%s is not reduced", id)
		}
	case "reduce-offer":
		id := a.offerID()
		r.printf("%s is %sreduced", id, not(r.book.ReduceOffer(r.now, r.offerRefs[id], a.units())))
	case "amend-bid":
		// More than less units is a new order in the old one's name.
		bid := r.bid(a)
		if _, ok := r.book.CancelBid(r.bidRefs[bid.ID]); ok {
			r.placeBid(bid)
		} else {
			r.printf("%s is not amended", bid.ID)
		}
	case "amend-offer":
		r.amendOffer(r.offer(a))
	default:
		return false
	}
	return true
}

// runCapacity knows what happens to capacity and to the grid, and the clock.
func (r *runner) runCapacity(name string, a *arguments) bool {
	switch name {
	case "new-book":
		r.newBook()
	case "now":
		r.now = a.clock(a.text("name", ""))
	case "release":
		from, to := a.window("window")
		r.report(r.book.Release(r.now, r.offerRefs[a.offerID()], a.units(), from, to))
	case "zone":
		mean := read(a, corehour.ParseIntensity, a.text("mean", ""))
		zone := a.text("name", "")
		if known, ok := r.zones[zone]; ok {
			r.grid.SetMean(known, mean)
		} else {
			r.zones[zone] = r.grid.AddZone(mean)
		}
	case "curve":
		var values []corehour.Intensity
		for _, s := range strings.Split(a.text("values", ""), ",") {
			values = append(values, read(a, corehour.ParseIntensity, s))
		}
		r.grid.Set(r.now, r.zone(a, a.text("name", "")), a.clock(a.text("from", "")), values)
	case "reconsider":
		from, to := a.window("window")
		r.report(r.book.Reconsider(r.now, r.zone(a, a.text("name", "")), from, to))
	case "change-regions":
		r.book.ChangeRegions(r.bidRefs[a.bidID()], r.regionSet(a))
	default:
		return false
	}
	return true
}

// runQuestion knows what changes nothing.
func (r *runner) runQuestion(name string, a *arguments) bool {
	switch name {
	case "free":
		from, to := a.window("window")
		id := a.offerID()
		if free, ok := r.book.Free(r.offerRefs[id], from, to); ok {
			r.printf("%s: %d free %s", id, free, a.text("window", ""))
		} else {
			r.printf("%s: not in the book", id)
		}
	case "quote":
		bid := r.bid(a)
		fills := r.book.Quote(r.now, bid)
		r.reportFills("would take", fills)
		if len(fills) == 0 {
			r.printf("%s would take nothing", bid.ID)
		}
	case "explain":
		bid := r.bid(a)
		r.reportExplanation(bid.ID, r.book.Explain(r.now, bid))
	case "offer-depth":
		r.reportLevels(r.book.OfferDepth(r.now, r.depthQuery(a)), "offer")
	case "bid-depth":
		r.reportLevels(r.book.BidDepth(r.now, r.depthQuery(a)), "bid")
	default:
		return false
	}
	return true
}

// runRestore knows how a book comes back from a snapshot.
func (r *runner) runRestore(name string, a *arguments) bool {
	switch name {
	case "restore-offer":
		o := r.offer(a)
		r.offerRefs[o.ID] = r.book.RestoreOffer(o)
	case "restore-bid":
		bid := r.bid(a)
		r.bidRefs[bid.ID] = r.book.RestoreBid(bid)
	case "restore-lease":
		from, to := a.window("window")
		r.book.RestoreLease(r.offerRefs[a.offerID()], a.units(), from, to)
	default:
		return false
	}
	return true
}

func (r *runner) placeBid(bid orderbook.Bid) {
	entry := bid
	ref, done := r.book.PlaceBid(r.now, &entry)
	r.bidRefs[bid.ID] = ref
	if done.Refused {
		r.printf("%s is refused", bid.ID)
		return
	}
	r.reportFills("takes", done.Fills)
	r.reportDropped(done)
	_, _, resting := r.book.Open(ref)
	units, minutes := bid.Units, bid.Duration
	for _, f := range done.Fills {
		units -= f.Units
		minutes -= corehour.Minutes(f.End - f.Start)
	}
	// Each lease of a splittable bid has all its units, each of another bid all its
	// duration.
	unfilled, filled := fmt.Sprint(units), units == 0
	if bid.MinPiece > 0 {
		unfilled, filled = hours(minutes), minutes == 0
	}
	switch {
	case resting:
		r.reportStanding(bid.ID)
	case filled:
		r.printf("%s is filled", bid.ID)
	default:
		r.printf("%s is closed, %s unfilled", bid.ID, unfilled)
	}
}

func (r *runner) amendOffer(o orderbook.Offer) {
	ref, done, ok := r.book.AmendOffer(r.now, r.offerRefs[o.ID], o)
	switch {
	case done.Refused:
		r.printf("%s is refused", o.ID)
	case !ok:
		r.printf("%s is not amended", o.ID)
	default:
		r.offerRefs[o.ID] = ref
		r.printf("%s is amended", o.ID)
		if len(done.Fills) > 0 {
			r.report(done)
		}
	}
}

// report writes the fills, who had to leave for them, and how the bids of the
// fills stand.
func (r *runner) report(done orderbook.Outcome) {
	r.reportFills("takes", done.Fills)
	if len(done.Fills) == 0 {
		r.printf("no fills")
	}
	r.reportDropped(done)
	var seen []corehour.BidID
	for _, f := range done.Fills {
		if !slices.Contains(seen, f.Bid) {
			seen = append(seen, f.Bid)
			r.reportStanding(f.Bid)
		}
	}
}

func (r *runner) reportFills(verb string, fills []orderbook.Fill) {
	for _, f := range fills {
		carbon := ""
		if f.Carbon > 0 {
			carbon = fmt.Sprintf(", %s g", f.Carbon)
		}
		r.printf("%s %s %d of %s, %s-%s, at %s%s", f.Bid, verb, f.Units, f.Offer, clock(f.Start), clock(f.End), f.Price, carbon)
	}
}

func (r *runner) reportDropped(done orderbook.Outcome) {
	for _, id := range done.Dropped {
		r.printf("%s is dropped", id)
	}
}

func (r *runner) reportStanding(id corehour.BidID) {
	open, left, resting := r.book.Open(r.bidRefs[id])
	switch {
	case !resting:
		r.printf("%s is out of the book", id)
	case r.splittable[id]:
		r.printf("%s rests, %d open, %s left", id, open, hours(left))
	default:
		r.printf("%s rests, %d open", id, open)
	}
}

func (r *runner) reportExplanation(id corehour.BidID, e orderbook.Explanation) {
	r.reportFills("would take", e.Fills)
	if e.Filled {
		r.printf("%s would be filled", id)
		return
	}
	for _, c := range e.Changes {
		r.printf("%s would be filled %s", id, r.change(c))
	}
	if len(e.Changes) == 0 {
		r.printf("no single change would fill %s", id)
	}
}

func (r *runner) change(c orderbook.Change) string {
	switch c.Condition {
	case orderbook.ConditionPrice:
		return "with a limit of " + c.Limit.String()
	case orderbook.ConditionCarbon:
		return "with a carbon cap of " + c.MaxCarbon.String() + " g"
	case orderbook.ConditionRegion:
		return "in region " + r.regions.name(int(c.Region))
	case orderbook.ConditionWindow:
		return "by " + clock(c.LatestEnd)
	case orderbook.ConditionSize:
		return "with " + count(int64(c.Units), "unit")
	case orderbook.ConditionProvider:
		return "by provider " + r.providers.name(int(c.Provider))
	case orderbook.ConditionSLA:
		return "with SLA " + c.MinSLA.String()
	case orderbook.ConditionInterruptible:
		return "by interruptible capacity"
	case orderbook.ConditionTakeOrPay:
		return fmt.Sprintf("with a take-or-pay share of %d%%", c.MaxTakeOrPay/percent)
	}
	r.t.Fatalf("unknown condition %d", c.Condition)
	return ""
}

func (r *runner) reportLevels(levels []orderbook.Level, noun string) {
	for _, l := range levels {
		r.printf("%s: %s, %s", l.Price, count(int64(l.Units), "unit"), count(int64(l.Orders), noun))
	}
	if len(levels) == 0 {
		r.printf("no %ss", noun)
	}
}

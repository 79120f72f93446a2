package orderbook_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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
// block of it that has commands in it stands in a transcript word by word.
func TestMatchingPage_QuotesItsExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/matching.md")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/*.txt")
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	quotes := 0
	for i, block := range strings.Split(string(page), "```") {
		if i%2 == 0 || !strings.Contains(block, "----\n") {
			continue
		}
		quotes++
		if quote := strings.TrimPrefix(block, "\n"); !strings.Contains(all.String(), quote) {
			t.Errorf("no transcript has this:\n%s", quote)
		}
	}
	if quotes < len(files) {
		t.Errorf("the page quotes %d examples, but there are %d transcripts", quotes, len(files))
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

type runner struct {
	t       *testing.T
	book    *orderbook.Book
	now     corehour.Minute
	arrival uint64
	// Interned names.
	orgs, providers, regions map[string]int
	output                   strings.Builder
}

func newRunner(t *testing.T) *runner {
	return &runner{
		t: t, book: orderbook.New(),
		orgs: map[string]int{}, providers: map[string]int{}, regions: map[string]int{},
	}
}

func (r *runner) printf(format string, args ...any) { fmt.Fprintf(&r.output, format+"\n", args...) }

func (r *runner) run(line string) {
	r.t.Helper()
	words := strings.Fields(line)
	a := &arguments{t: r.t, line: line, used: map[string]bool{}, values: map[string]string{}}
	for _, word := range words[1:] {
		key, value, found := strings.Cut(word, "=")
		if _, err := strconv.Atoi(word); err == nil {
			key, value = "id", word
		} else if !found && words[0] == "now" {
			key, value = "time", word
		}
		a.values[key] = value
	}
	switch words[0] {
	case "new-book":
		r.book, r.now, r.arrival = orderbook.New(), 0, 0
	case "now":
		r.now = a.clock(a.text("time", ""))
	case "offer":
		o := r.offer(a)
		if fills := r.book.PlaceOffer(r.now, o); len(fills) > 0 {
			r.report(fills)
		}
	case "bid":
		bid := r.bid(a)
		r.report(r.book.PlaceBid(r.now, bid), bid)
	case "cancel-offer":
		id := corehour.OfferID(a.number("id", 0))
		r.printf("%s: %t", id, r.book.CancelOffer(id))
	case "cancel-bid":
		id := corehour.BidID(a.number("id", 0))
		open, ok := r.book.CancelBid(id)
		r.printf("%s: %t, %d open", id, ok, open)
	case "release":
		from, to := a.window("window")
		r.report(r.book.Release(r.now, corehour.OfferID(a.number("id", 0)), corehour.Units(a.number("units", 0)), from, to))
	case "free":
		from, to := a.window("window")
		id := corehour.OfferID(a.number("id", 0))
		if free, ok := r.book.Free(id, from, to); ok {
			r.printf("%s: %d free %s", id, free, a.text("window", ""))
		} else {
			r.printf("%s: not in the book", id)
		}
	case "restore-offer":
		r.book.RestoreOffer(r.offer(a))
	case "restore-bid":
		r.book.RestoreBid(r.bid(a))
	case "restore-lease":
		from, to := a.window("window")
		r.book.RestoreLease(corehour.OfferID(a.number("id", 0)), corehour.Units(a.number("units", 0)), from, to)
	default:
		r.t.Fatalf("unknown command: %s", line)
	}
	a.checkUsed()
}

func (r *runner) offer(a *arguments) orderbook.Offer {
	r.arrival++
	by := a.text("by", "acme")
	from, to := a.window("window")
	o := orderbook.Offer{
		ID: corehour.OfferID(a.number("id", 0)), Arrival: uint64(a.number("arrival", int64(r.arrival))),
		Provider: orderbook.ProviderIndex(intern(r.providers, by)),
		Org:      orderbook.OrgIndex(intern(r.orgs, a.text("org", by))),
		Region:   orderbook.RegionIndex(intern(r.regions, a.text("region", "eu-north1"))),
		Units:    corehour.Units(a.number("units", 1)), From: from, To: to,
		Interruptible: a.flag("interruptible"),
		MinFill:       corehour.Units(a.number("min-fill", 1)), MinDuration: a.duration("min-duration", "1m"),
	}
	a.check(o.SLA.UnmarshalText([]byte(a.text("sla", "basic"))))
	o.Price = read(a, corehour.ParsePrice, a.text("price", ""))
	o.Carbon = read(a, corehour.ParseCarbonRate, a.text("carbon", "0"))
	return o
}

func (r *runner) bid(a *arguments) orderbook.Bid {
	r.arrival++
	from, to := a.window("window")
	bid := orderbook.Bid{
		ID: corehour.BidID(a.number("id", 0)), Arrival: uint64(a.number("arrival", int64(r.arrival))),
		Org:   orderbook.OrgIndex(intern(r.orgs, a.text("by", "lab"))),
		Units: corehour.Units(a.number("units", 1)), Duration: a.duration("for", "1h"),
		EarliestStart: from, LatestEnd: to,
		Interruptible: a.flag("accepts-interruptible"),
		MinFill:       corehour.Units(a.number("min-fill", 1)), AllOrNone: a.flag("all-or-none"),
		MaxLeases: int(a.number("max-leases", corehour.MaxLeasesPerBid)),
		MaxCarbon: orderbook.NoCarbonCap,
	}
	a.check(bid.MinSLA.UnmarshalText([]byte(a.text("min-sla", "basic"))))
	a.check(bid.TimeInForce.UnmarshalText([]byte(a.text("tif", "gtc"))))
	bid.Limit = read(a, corehour.ParsePrice, a.text("limit", ""))
	bid.CarbonPrice = read(a, corehour.ParseCarbonPrice, a.text("carbon-price", "0"))
	if limit := a.text("max-carbon", ""); limit != "" {
		bid.MaxCarbon = read(a, corehour.ParseCarbonRate, limit)
	}
	bid.Regions.AllowAll, bid.Providers.AllowAll = true, true
	for _, sign := range strings.Split(a.text("regions", ""), ",") {
		if name, ok := strings.CutPrefix(sign, "+"); ok {
			bid.Regions.AllowAll = false
			bid.Regions.Allow.Set(orderbook.RegionIndex(intern(r.regions, name)))
		} else if name, ok := strings.CutPrefix(sign, "-"); ok {
			bid.Regions.Deny.Set(orderbook.RegionIndex(intern(r.regions, name)))
		}
	}
	for _, sign := range strings.Split(a.text("providers", ""), ",") {
		if name, ok := strings.CutPrefix(sign, "+"); ok {
			bid.Providers.AllowAll = false
			bid.Providers.Allow = append(bid.Providers.Allow, orderbook.ProviderIndex(intern(r.providers, name)))
		} else if name, ok := strings.CutPrefix(sign, "-"); ok {
			bid.Providers.Deny = append(bid.Providers.Deny, orderbook.ProviderIndex(intern(r.providers, name)))
		}
	}
	slices.Sort(bid.Providers.Allow)
	slices.Sort(bid.Providers.Deny)
	return bid
}

// report writes the fills and how the bids in them, and the placed one, stand.
func (r *runner) report(fills []orderbook.Fill, placed ...orderbook.Bid) {
	var bids []corehour.BidID
	filled := map[corehour.BidID]corehour.Units{}
	for _, f := range fills {
		carbon := ""
		if f.Carbon > 0 {
			carbon = fmt.Sprintf(", %s g", f.Carbon)
		}
		r.printf("%s takes %d of %s, %s-%s, at %s%s", f.Bid, f.Units, f.Offer, clock(f.Start), clock(f.End), f.Price, carbon)
		if !slices.Contains(bids, f.Bid) {
			bids = append(bids, f.Bid)
		}
		filled[f.Bid] += f.Units
	}
	if len(placed) > 0 {
		bid := placed[0]
		switch open, resting := r.book.Open(bid.ID); {
		case resting:
			r.printf("%s rests, %d open", bid.ID, open)
		case filled[bid.ID] == bid.Units:
			r.printf("%s is filled", bid.ID)
		default:
			r.printf("%s is closed, %d unfilled", bid.ID, bid.Units-filled[bid.ID])
		}
		return
	}
	if len(fills) == 0 {
		r.printf("no fills")
	}
	for _, id := range bids {
		if open, resting := r.book.Open(id); resting {
			r.printf("%s rests, %d open", id, open)
		} else {
			r.printf("%s is out of the book", id)
		}
	}
}

func intern(names map[string]int, name string) int {
	i, ok := names[name]
	if !ok {
		i = len(names)
		names[name] = i
	}
	return i
}

func clock(m corehour.Minute) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

// arguments are the key=value words of a command; each must be used.
type arguments struct {
	t      *testing.T
	line   string
	values map[string]string
	used   map[string]bool
}

func (a *arguments) check(err error) {
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
}

func read[T any](a *arguments, parse func(string) (T, error), s string) T {
	v, err := parse(s)
	a.check(err)
	return v
}

func (a *arguments) text(key, otherwise string) string {
	a.used[key] = true
	if v, ok := a.values[key]; ok {
		return v
	}
	return otherwise
}

func (a *arguments) flag(key string) bool {
	a.used[key] = true
	_, ok := a.values[key]
	return ok
}

func (a *arguments) number(key string, otherwise int64) int64 {
	s := a.text(key, strconv.FormatInt(otherwise, 10))
	n, err := strconv.ParseInt(s, 10, 64)
	a.check(err)
	return n
}

func (a *arguments) duration(key, otherwise string) corehour.Minutes {
	d, err := time.ParseDuration(a.text(key, otherwise))
	a.check(err)
	return corehour.Minutes(d / time.Minute)
}

// clock reads hours and minutes; hours go on after 24 for the days that follow.
func (a *arguments) clock(s string) corehour.Minute {
	var h, m corehour.Minute
	_, err := fmt.Sscanf(s, "%d:%d", &h, &m)
	a.check(err)
	return h*60 + m
}

func (a *arguments) window(key string) (from, to corehour.Minute) {
	first, last, ok := strings.Cut(a.text(key, ""), "-")
	if !ok {
		a.t.Fatalf("%s: no %s=HH:MM-HH:MM", a.line, key)
	}
	return a.clock(first), a.clock(last)
}

func (a *arguments) checkUsed() {
	for key := range a.values {
		if !a.used[key] {
			a.t.Fatalf("%s: unknown argument %s", a.line, key)
		}
	}
}

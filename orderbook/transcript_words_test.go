package orderbook_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// names numbers names by when they came up first.
type names map[string]int

func (n names) index(name string) int {
	i, ok := n[name]
	if !ok {
		i = len(n)
		n[name] = i
	}
	return i
}

func (n names) name(index int) string {
	for name, i := range n {
		if i == index {
			return name
		}
	}
	return fmt.Sprintf("unknown name %d", index)
}

func clock(m corehour.Minute) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

// hours writes a length of time as commands give it: 90m is 1h30m.
func hours(d corehour.Minutes) string {
	s := ""
	if d >= 60 {
		s = fmt.Sprintf("%dh", d/60)
	}
	if d%60 > 0 || d == 0 {
		s += fmt.Sprintf("%dm", d%60)
	}
	return s
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func not(ok bool) string {
	if ok {
		return ""
	}
	return "not "
}

func (r *runner) offer(a *arguments) orderbook.Offer {
	r.arrival++
	by := a.text("by", "acme")
	from, to := a.window("window")
	o := orderbook.Offer{
		ID: a.offerID(), Arrival: uint64(a.number("arrival", int64(r.arrival))),
		Provider: orderbook.ProviderIndex(r.providers.index(by)),
		Org:      orderbook.OrgIndex(r.orgs.index(a.text("org", by))),
		Region:   orderbook.RegionIndex(r.regions.index(a.text("region", "eu-north1"))),
		Units:    corehour.Units(a.number("units", 1)), From: from, To: to,
		Interruptible: a.flag("interruptible"), TakeOrPay: a.share("take-or-pay", "0%"),
		MinFill: corehour.Units(a.number("min-fill", 1)), MinDuration: a.duration("min-duration", "1m"),
		PostOnly: a.flag("post-only"),
	}
	a.check(o.SLA.UnmarshalText([]byte(a.text("sla", "basic"))))
	o.Price = read(a, corehour.ParsePrice, a.text("price", ""))
	if zone := a.text("zone", ""); zone != "" {
		o.Carbon.Zone = r.zone(a, zone)
		o.Carbon.Energy = read(a, corehour.ParseEnergy, a.text("energy", ""))
	} else {
		o.Carbon.Rate = read(a, corehour.ParseCarbonRate, a.text("carbon", "0"))
	}
	return o
}

func (r *runner) bid(a *arguments) orderbook.Bid {
	r.arrival++
	from, to := a.window("window")
	bid := orderbook.Bid{
		ID: a.bidID(), Arrival: uint64(a.number("arrival", int64(r.arrival))),
		Org:   orderbook.OrgIndex(r.orgs.index(a.text("by", "lab"))),
		Units: corehour.Units(a.number("units", 1)), Duration: a.duration("for", "1h"),
		EarliestStart: from, LatestEnd: to, Regions: r.regionSet(a), Providers: r.providerSet(a),
		Interruptible: a.flag("accepts-interruptible"), MaxTakeOrPay: a.share("max-take-or-pay", "100%"),
		MinFill: corehour.Units(a.number("min-fill", 1)), AllOrNone: a.flag("all-or-none"),
		MaxLeases: int(a.number("max-leases", corehour.MaxLeasesPerBid)),
		MaxCarbon: orderbook.NoCarbonCap,
		MinPiece:  a.duration("split", "0m"), Taken: a.spans("taken"),
		Group: corehour.BidID(a.number("group", 0)), PostOnly: a.flag("post-only"),
	}
	a.check(bid.MinSLA.UnmarshalText([]byte(a.text("min-sla", "basic"))))
	a.check(bid.TimeInForce.UnmarshalText([]byte(a.text("tif", "gtc"))))
	bid.Limit = read(a, corehour.ParsePrice, a.text("limit", ""))
	bid.CarbonPrice = read(a, corehour.ParseCarbonPrice, a.text("carbon-price", "0"))
	if limit := a.text("max-carbon", ""); limit != "" {
		bid.MaxCarbon = read(a, corehour.ParseCarbonRate, limit)
	}
	r.splittable[bid.ID] = bid.MinPiece > 0
	return bid
}

// regionSet reads names with a sign: + allows, and then nothing else is allowed, -
// denies.
func (r *runner) regionSet(a *arguments) orderbook.RegionSet {
	set := orderbook.RegionSet{AllowAll: true}
	for _, sign := range strings.Split(a.text("regions", ""), ",") {
		if name, ok := strings.CutPrefix(sign, "+"); ok {
			set.AllowAll = false
			set.Allow.Set(orderbook.RegionIndex(r.regions.index(name)))
		} else if name, ok := strings.CutPrefix(sign, "-"); ok {
			set.Deny.Set(orderbook.RegionIndex(r.regions.index(name)))
		}
	}
	return set
}

func (r *runner) providerSet(a *arguments) orderbook.ProviderSet {
	set := orderbook.ProviderSet{AllowAll: true}
	for _, sign := range strings.Split(a.text("providers", ""), ",") {
		if name, ok := strings.CutPrefix(sign, "+"); ok {
			set.AllowAll = false
			set.Allow = append(set.Allow, orderbook.ProviderIndex(r.providers.index(name)))
		} else if name, ok := strings.CutPrefix(sign, "-"); ok {
			set.Deny = append(set.Deny, orderbook.ProviderIndex(r.providers.index(name)))
		}
	}
	slices.Sort(set.Allow)
	slices.Sort(set.Deny)
	return set
}

func (r *runner) zone(a *arguments, name string) orderbook.ZoneIndex {
	zone, ok := r.zones[name]
	if !ok {
		a.t.Fatalf("%s: no zone %q", a.line, name)
	}
	return zone
}

func (r *runner) depthQuery(a *arguments) orderbook.DepthQuery {
	from, to := a.window("window")
	return orderbook.DepthQuery{
		Region:      orderbook.RegionIndex(r.regions.index(a.text("region", "eu-north1"))),
		CarbonPrice: read(a, corehour.ParseCarbonPrice, a.text("carbon-price", "0")),
		From:        from, To: to, Levels: int(a.number("levels", 10)),
	}
}

// parseCommand takes a line apart: the command, a number that is an id, a first
// name without a value that some commands have, and key=value words or flags.
func parseCommand(t *testing.T, line string) (string, *arguments) {
	words := strings.Fields(line)
	a := &arguments{t: t, line: line, used: map[string]bool{}, values: map[string]string{}}
	var bare []string
	switch words[0] {
	case "now", "zone", "reconsider":
		bare = []string{"name"}
	case "curve":
		bare = []string{"name", "values"}
	}
	for _, word := range words[1:] {
		key, value, found := strings.Cut(word, "=")
		if !found && len(bare) > 0 {
			key, value, bare = bare[0], word, bare[1:]
		} else if _, err := strconv.Atoi(word); err == nil {
			key, value = "id", word
		}
		if _, twice := a.values[key]; twice {
			t.Fatalf("%s: %s is given twice", line, key)
		}
		a.values[key] = value
	}
	return words[0], a
}

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
	return a.span(key, a.text(key, ""))
}

func (a *arguments) span(key, window string) (from, to corehour.Minute) {
	first, last, ok := strings.Cut(window, "-")
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

func (a *arguments) bidID() corehour.BidID     { return corehour.BidID(a.number("id", 0)) }
func (a *arguments) offerID() corehour.OfferID { return corehour.OfferID(a.number("id", 0)) }
func (a *arguments) units() corehour.Units     { return corehour.Units(a.number("units", 0)) }

// percent is a hundredth in basis points.
const percent = corehour.WholeShare / 100

// share reads a whole number of percent.
func (a *arguments) share(key, otherwise string) corehour.BasisPoints {
	n, err := strconv.Atoi(strings.TrimSuffix(a.text(key, otherwise), "%"))
	a.check(err)
	return corehour.BasisPoints(n) * percent
}

// spans reads windows with a comma between them.
func (a *arguments) spans(key string) (spans []orderbook.Span) {
	if a.text(key, "") == "" {
		return nil
	}
	for _, window := range strings.Split(a.text(key, ""), ",") {
		from, to := a.span(key, window)
		spans = append(spans, orderbook.Span{From: from, To: to})
	}
	return spans
}

package orderbook_test

import (
	"fmt"
	"strings"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// entry is a line of a session's log; it is written only when it is needed.
type entry struct {
	format string
	args   []any
}

func (e entry) String() string {
	args := make([]any, len(e.args))
	for i, arg := range e.args {
		switch v := arg.(type) {
		case orderbook.Bid:
			arg = describeBid(v)
		case orderbook.Offer:
			arg = describeOffer(v)
		}
		args[i] = arg
	}
	return fmt.Sprintf(e.format, args...)
}

// words are the parts of a description; those with their usual value are left out.
type words []string

func (w *words) add(is bool, format string, args ...any) {
	if is {
		*w = append(*w, fmt.Sprintf(format, args...))
	}
}

func describeOffer(o orderbook.Offer) string {
	w := words{fmt.Sprintf("%s: %d units [%d,%d) at %s", o.ID, o.Units, o.From, o.To, o.Price)}
	w.add(o.Arrival != uint64(o.ID), "arrival %d", o.Arrival)
	w.add(o.Carbon.Zone != 0, "zone %d energy %d", o.Carbon.Zone, o.Carbon.Energy)
	w.add(o.Carbon.Rate != 0, "carbon %d mg", o.Carbon.Rate)
	w.add(o.MinFill > 1, "min fill %d", o.MinFill)
	w.add(o.MinDuration > 1, "min duration %d", o.MinDuration)
	w.add(o.TakeOrPay > 0, "take-or-pay %d", o.TakeOrPay)
	w.add(o.SLA != corehour.SLABasic, "SLA %d", o.SLA)
	w.add(o.Interruptible, "interruptible")
	w.add(o.PostOnly, "post-only")
	w.add(true, "(org %d, provider %d, region %d)", o.Org, o.Provider, o.Region)
	return strings.Join(w, ", ")
}

func describeBid(b orderbook.Bid) string {
	w := words{fmt.Sprintf("%s: %d units for %d in [%d,%d) limit %s %s", b.ID, b.Units, b.Duration, b.EarliestStart, b.LatestEnd, b.Limit, b.TimeInForce)}
	w.add(b.Arrival != uint64(b.ID), "arrival %d", b.Arrival)
	w.add(b.AllOrNone, "all-or-none")
	w.add(b.MinPiece > 0, "min piece %d", b.MinPiece)
	w.add(len(b.Taken) > 0, "taken %v", b.Taken)
	w.add(b.MinFill > 1, "min fill %d", b.MinFill)
	w.add(b.MaxLeases != corehour.MaxLeasesPerBid, "max leases %d", b.MaxLeases)
	w.add(b.CarbonPrice > 0, "carbon price %s", b.CarbonPrice)
	w.add(b.MaxCarbon != orderbook.NoCarbonCap, "max carbon %d mg", b.MaxCarbon)
	w.add(b.MaxTakeOrPay != corehour.WholeShare, "max take-or-pay %d", b.MaxTakeOrPay)
	w.add(b.MinSLA != corehour.SLABasic, "min SLA %d", b.MinSLA)
	w.add(b.Interruptible, "accepts interruptible")
	w.add(b.Group > 0, "group %d", b.Group)
	w.add(b.PostOnly, "post-only")
	w.add(!b.Regions.AllowAll || b.Regions.Deny != orderbook.RegionBits{}, "regions %s", describeRegions(b.Regions))
	w.add(!b.Providers.AllowAll || len(b.Providers.Deny) > 0, "providers %v -%v", b.Providers.Allow, b.Providers.Deny)
	w.add(true, "(org %d)", b.Org)
	return strings.Join(w, ", ")
}

// describeRegions lists what a set allows among the regions of the tests.
func describeRegions(set orderbook.RegionSet) string {
	var allowed []orderbook.RegionIndex
	for _, r := range regions {
		if allowsRegion(&set, r) {
			allowed = append(allowed, r)
		}
	}
	return fmt.Sprint(allowed)
}

func describeFill(f orderbook.Fill) string {
	return fmt.Sprintf("%s takes %d of %s [%d,%d) at %s, %d mg", f.Bid, f.Units, f.Offer, f.Start, f.End, f.Price, f.Carbon)
}

func describeOutcome(out orderbook.Outcome) string {
	var b strings.Builder
	for _, f := range out.Fills {
		fmt.Fprintf(&b, "    %s\n", describeFill(f))
	}
	for _, id := range out.Dropped {
		fmt.Fprintf(&b, "    %s dropped\n", id)
	}
	if out.Refused {
		b.WriteString("    refused\n")
	}
	if b.Len() == 0 {
		return "    nothing\n"
	}
	return b.String()
}

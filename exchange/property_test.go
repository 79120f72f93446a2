package exchange

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

// TestState_InvariantsHoldAndReplayGivesTheSameState draws commands, good and bad
// ones, at rising times. After each the funds, the capacity and the orders must
// add up. The same commands applied again from their encoding, and applied to a
// state that went through a snapshot at a random place, must give the same state.
func TestState_InvariantsHoldAndReplayGivesTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live, restored := NewState(), NewState()
		var log []entry
		at := corehour.Instant(0)
		apply := func(c Command) {
			e := entry{Kind: c.kind(), At: at, Body: marshal(c)}
			decoded, err := decodeCommand(e.Kind, e.Body)
			if err != nil {
				t.Fatalf("%+v does not come back from the log: %v", c, err)
			}
			log = append(log, e)
			first := live.apply(e.At, decoded, e.Body)
			events := fmt.Sprint(live.events)
			second := restored.apply(e.At, decoded, e.Body)
			if fmt.Sprint(first) != fmt.Sprint(second) || events != fmt.Sprint(restored.events) {
				t.Fatalf("%+v: live answers %+v, the restored state %+v", c, first, second)
			}
			checkInvariants(t, live)
		}
		for _, c := range smallMarket() {
			apply(c)
		}
		for range rapid.IntRange(60, 160).Draw(t, "commands") {
			at += corehour.Instant(rapid.Int64Range(0, 12).Draw(t, "minutes")) * corehour.MicrosPerMinute / 2
			apply(drawCommand(t, live))
			if rapid.IntRange(0, 15).Draw(t, "snapshot") == 0 {
				var err error
				if restored, err = decodeState(restored.encode()); err != nil {
					t.Fatal(err)
				}
			}
		}
		replayed := NewState()
		if _, err := replayed.applyEntries(log); err != nil {
			t.Fatal(err)
		}
		if live.Hash() != restored.Hash() || live.Hash() != replayed.Hash() {
			t.Fatalf("live %s, through snapshots %s, from the log %s", live.Hash(), restored.Hash(), replayed.Hash())
		}
	})
}

func smallMarket() []Command {
	commands := []Command{
		DefineProduct{Product: corehour.Product{ID: "cpu"}}, DefineProduct{Product: corehour.Product{ID: "gpu"}},
		DefineRegion{Region: corehour.Region{ID: "r1", Country: "FI", Continent: "europe", Zone: "FI"}},
		DefineRegion{Region: corehour.Region{ID: "r2", Country: "US", Continent: "north-america", Zone: "US"}},
	}
	for _, a := range []corehour.AccountID{"a", "b", "c", "d"} {
		commands = append(commands, OpenAccount{Account: a, Org: corehour.OrgID("org-" + a[:1])},
			Deposit{Account: a, Amount: 50 * corehour.NanoPerUnit, Reference: "w"})
	}
	return commands
}

// drawCommand draws a command that mostly makes sense in a state.
func drawCommand(t *rapid.T, s *State) Command {
	account := rapid.SampledFrom([]corehour.AccountID{"a", "b", "c", "d"})
	lease := corehour.LeaseID(rapid.Uint64Range(1, uint64(s.lastLease)+1).Draw(t, "lease"))
	l := s.leases[lease]
	switch rapid.SampledFrom([]string{"offer", "offer", "bid", "bid", "bid", "work", "work", "work", "work", "work", "accept", "start", "end", "charge",
		"settle", "cancel", "money", "fee", "tick"}).Draw(t, "kind") {
	case "offer":
		return drawOffer(t, s, account)
	case "bid":
		return drawBid(t, s, account)
	case "work":
		return drawWork(t, s)
	case "accept":
		return AcceptLease{Provider: owner(l, account.Draw(t, "provider")), Lease: lease}
	case "start":
		return StartLease{Provider: owner(l, account.Draw(t, "provider")), Lease: lease}
	case "end":
		return EndLease{Account: owner(l, account.Draw(t, "account")), Lease: lease}
	case "charge":
		return drawCharge(t, l, lease)
	case "settle":
		c := SettleLease{Lease: lease}
		if l != nil {
			c.Charges = int64(len(l.charges))
		}
		return c
	case "cancel":
		if rapid.Bool().Draw(t, "offer") {
			return CancelOffer{Provider: account.Draw(t, "provider"), Offer: corehour.OfferID(rapid.Uint64Range(1, uint64(s.lastOffer)+1).Draw(t, "id"))}
		}
		return CancelBid{Consumer: account.Draw(t, "consumer"), Bid: corehour.BidID(rapid.Uint64Range(1, uint64(s.lastBid)+1).Draw(t, "id"))}
	case "money":
		amount := corehour.Money(rapid.Int64Range(-1, 20*corehour.NanoPerUnit).Draw(t, "amount"))
		reference := fmt.Sprint("ref-", rapid.IntRange(0, 20).Draw(t, "reference"))
		if rapid.Bool().Draw(t, "out") {
			return PayOut{Account: account.Draw(t, "account"), Amount: amount, Reference: reference}
		}
		return Deposit{Account: account.Draw(t, "account"), Amount: amount, Reference: reference}
	case "fee":
		return SetFee{Fee: corehour.BasisPoints(rapid.Int32Range(0, 3000).Draw(t, "fee"))}
	}
	return Tick{}
}

// drawWork takes a lease that the state holds one step on.
func drawWork(t *rapid.T, s *State) Command {
	if len(s.leases) == 0 {
		return Tick{}
	}
	l := s.leases[rapid.SampledFrom(sortedKeys(s.leases)).Draw(t, "lease to work on")]
	switch l.status {
	case corehour.StatusMatched:
		return AcceptLease{Provider: l.Provider, Lease: l.ID}
	case corehour.StatusProvisioning:
		return StartLease{Provider: l.Provider, Lease: l.ID}
	case corehour.StatusActive:
		if rapid.IntRange(0, 2).Draw(t, "end") == 0 {
			return EndLease{Account: rapid.SampledFrom([]corehour.AccountID{l.Provider, l.Consumer}).Draw(t, "by"), Lease: l.ID}
		}
		return drawCharge(t, l, l.ID)
	}
	if rapid.Bool().Draw(t, "settle") {
		return SettleLease{Lease: l.ID, Charges: int64(len(l.charges))}
	}
	return drawCharge(t, l, l.ID)
}

func owner(l *lease, other corehour.AccountID) corehour.AccountID {
	if l != nil {
		return l.Provider
	}
	return other
}

func drawOffer(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	from := s.startable().Add(corehour.Minutes(rapid.Int64Range(0, 90).Draw(t, "from")))
	return PlaceOffer{
		Product: rapid.SampledFrom([]corehour.ProductID{"cpu", "cpu", "gpu"}).Draw(t, "product"), Provider: account.Draw(t, "provider"),
		Region: rapid.SampledFrom([]corehour.RegionID{"r1", "r2"}).Draw(t, "region"), Units: corehour.Units(rapid.Int64Range(1, 12).Draw(t, "units")),
		From: from, To: from.Add(corehour.Minutes(rapid.Int64Range(1, 300).Draw(t, "window"))),
		Price: corehour.Price(rapid.Int64Range(1, 40).Draw(t, "price")) * corehour.Tick, Carbon: corehour.CarbonRate(rapid.Int64Range(0, 2000).Draw(t, "carbon")),
		SLA: corehour.SLA(rapid.Uint8Range(1, 3).Draw(t, "sla")), Interruptible: rapid.Bool().Draw(t, "interruptible"),
		MinFill: corehour.Units(rapid.Int64Range(0, 3).Draw(t, "min fill")), MinDuration: corehour.Minutes(rapid.Int64Range(0, 30).Draw(t, "min duration")),
		TakeOrPay: corehour.BasisPoints(rapid.Int32Range(0, 10_000).Draw(t, "take or pay")), ClientID: clientID(t),
	}
}

func drawBid(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	start := s.startable().Add(corehour.Minutes(rapid.Int64Range(0, 60).Draw(t, "start")))
	duration := corehour.Minutes(rapid.Int64Range(1, 90).Draw(t, "duration"))
	b := PlaceBid{
		Product: rapid.SampledFrom([]corehour.ProductID{"cpu", "cpu", "gpu"}).Draw(t, "product"), Consumer: account.Draw(t, "consumer"),
		Units: corehour.Units(rapid.Int64Range(1, 15).Draw(t, "units")), Duration: duration, EarliestStart: start,
		LatestEnd: start.Add(duration + corehour.Minutes(rapid.Int64Range(0, 200).Draw(t, "slack"))),
		Limit:     corehour.Price(rapid.Int64Range(1, 60).Draw(t, "limit")) * corehour.Tick, Interruptible: rapid.Bool().Draw(t, "interruptible"),
		MinSLA: corehour.SLA(rapid.Uint8Range(0, 3).Draw(t, "sla")), CarbonPrice: corehour.CarbonPrice(rapid.Int64Range(0, 20).Draw(t, "carbon price") * corehour.NanoPerUnit),
		MaxLeases: rapid.IntRange(0, 4).Draw(t, "max leases"), TimeInForce: corehour.TimeInForce(rapid.Uint8Range(1, 4).Draw(t, "time in force")), ClientID: clientID(t),
	}
	b.MinFill = corehour.Units(rapid.Int64Range(0, int64(b.Units)).Draw(t, "min fill"))
	if b.TimeInForce == corehour.GoodTillTime {
		b.ExpiresAt = s.now + corehour.Instant(rapid.Int64Range(1, 200).Draw(t, "expires"))*corehour.MicrosPerMinute
	}
	if rapid.IntRange(0, 3).Draw(t, "regions") == 0 {
		b.Regions.Deny = []corehour.RegionID{"r1"}
		b.Providers.Allow = []corehour.AccountID{"a", "b", "c"}
	}
	return b
}

func clientID(t *rapid.T) string {
	if n := rapid.IntRange(0, 30).Draw(t, "client id"); n < 10 {
		return fmt.Sprint("client-", n)
	}
	return ""
}

func drawCharge(t *rapid.T, l *lease, id corehour.LeaseID) Command {
	c := PostCharge{Lease: id, Number: 1, Kind: corehour.ChargeUsage, Amount: corehour.Money(rapid.Int64Range(1, 100_000).Draw(t, "amount"))}
	if l != nil {
		c.Hour, c.Number = l.Start, int64(len(l.charges)+rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "number"))
		if rapid.IntRange(0, 4).Draw(t, "all") == 0 {
			c.Amount = l.Hold - l.charged
		}
	}
	return c
}

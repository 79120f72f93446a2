package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// The market of bench. All of it is drawn from one seed, so that every run has
// the same orders.
const (
	benchSeed     = 7
	benchAccounts = 10_000 // one in benchPerProvider of them sells
	benchProducts = 4
	benchRegions  = 26
	benchHour     = 60 // minutes

	benchPerProvider = 10
	benchPerOrg      = 10 // accounts of one organisation

	// benchFunds is what each consumer begins with.
	benchFunds = 400_000 * corehour.NanoPerUnit
)

// Prices in ticks: bids that rest stay below every offer, bids that fill pay more
// than any.
const (
	restFrom, restTo   = 5_000, 29_999
	offerFrom, offerTo = 30_000, 50_000
	fillFrom, fillTo   = 60_000, 80_000
)

// benchMarket draws orders.
type benchMarket struct {
	random   *rand.Rand
	accounts int
	orders   int // placed so far; numbers the client ids
}

func newBenchMarket(accounts int) *benchMarket {
	return &benchMarket{random: rand.New(rand.NewPCG(benchSeed, 0)), accounts: max(accounts, 2*benchPerProvider)}
}

func (m *benchMarket) provider() corehour.AccountID {
	return corehour.AccountID(fmt.Sprintf("provider-%d", m.random.IntN(m.accounts/benchPerProvider)))
}

func (m *benchMarket) consumer() corehour.AccountID {
	return corehour.AccountID(fmt.Sprintf("consumer-%d", m.random.IntN(m.accounts)))
}

func (m *benchMarket) product() corehour.ProductID {
	return corehour.ProductID(fmt.Sprintf("product-%d", m.random.IntN(benchProducts)))
}

func (m *benchMarket) region() corehour.RegionID { return benchRegion(m.random.IntN(benchRegions)) }

func benchRegion(i int) corehour.RegionID { return corehour.RegionID(fmt.Sprintf("region-%d", i)) }

func (m *benchMarket) clientID() string {
	m.orders++
	return fmt.Sprintf("order-%d", m.orders)
}

func (m *benchMarket) price(from, to int) corehour.Price {
	return corehour.Price(from+m.random.IntN(to-from+1)) * corehour.Tick
}

// oneIn is true once in n times.
func (m *benchMarket) oneIn(n int) bool { return m.random.IntN(n) == 0 }

// setup defines what is traded and who trades, with funds.
func (m *benchMarket) setup() []exchange.Command {
	var commands []exchange.Command
	for i := range benchProducts {
		commands = append(commands, exchange.DefineProduct{Product: corehour.Product{ID: corehour.ProductID(fmt.Sprintf("product-%d", i)), Unit: "1 vCPU"}})
	}
	continents := []string{"europe", "north-america", "asia"}
	for i := range benchRegions {
		commands = append(commands, exchange.DefineRegion{Region: corehour.Region{
			ID: benchRegion(i), Country: string([]byte{'A' + byte(i), 'X'}), Continent: continents[i%len(continents)], Zone: corehour.ZoneID(fmt.Sprintf("zone-%d", i)),
		}})
	}
	for i := range m.accounts / benchPerProvider {
		name := fmt.Sprintf("provider-%d", i)
		commands = append(commands, exchange.OpenAccount{Account: corehour.AccountID(name), Org: corehour.OrgID(name), Name: name})
	}
	for i := range m.accounts {
		account := corehour.AccountID(fmt.Sprintf("consumer-%d", i))
		commands = append(commands,
			exchange.OpenAccount{Account: account, Org: corehour.OrgID(fmt.Sprintf("org-%d", i/benchPerOrg)), Name: string(account)},
			exchange.Deposit{Account: account, Amount: benchFunds, Reference: "opening"})
	}
	return commands
}

// hoursAhead is a whole hour after an instant.
func hoursAhead(at corehour.Instant, hours int) corehour.Minute {
	now := at.CeilMinute()
	return now - now%benchHour + corehour.Minute((hours+1)*benchHour)
}

// offer is capacity that begins at the next hour or within two days and lasts 2 to
// 30 days.
func (m *benchMarket) offer(at corehour.Instant) exchange.PlaceOffer {
	from := hoursAhead(at, m.random.IntN(2)*m.random.IntN(48))
	return exchange.PlaceOffer{
		Product: m.product(), Provider: m.provider(), Region: m.region(), Units: corehour.Units(16 + m.random.IntN(497)),
		From: from, To: from.Add(corehour.Minutes(2+m.random.IntN(29)) * 1440), Price: m.price(offerFrom, offerTo),
		Carbon: corehour.CarbonRate(10_000 + m.random.IntN(490_000)), SLA: corehour.SLA(1 + m.random.IntN(3)),
		Interruptible: m.oneIn(8), ClientID: m.clientID(),
	}
}

// bid is a need for up to eight hours that begin within two days, half of them
// with up to a day of slack, a quarter each that may run anywhere, that pays for
// carbon and, of eight, one with a cap.
func (m *benchMarket) bid(at corehour.Instant, limit corehour.Price) exchange.PlaceBid {
	b := exchange.PlaceBid{
		Product: m.product(), Consumer: m.consumer(), Units: corehour.Units(1 + m.random.IntN(16)),
		Duration: corehour.Minutes(1+m.random.IntN(8)) * 60, EarliestStart: hoursAhead(at, m.random.IntN(48)),
		Limit: limit, Interruptible: m.oneIn(2), ClientID: m.clientID(),
	}
	b.LatestEnd = b.EarliestStart.Add(b.Duration)
	if m.oneIn(2) {
		b.LatestEnd = b.LatestEnd.Add(corehour.Minutes(1+m.random.IntN(24)) * 60)
	}
	if !m.oneIn(4) {
		for range 1 + m.random.IntN(4) {
			b.Regions.Allow = append(b.Regions.Allow, m.region())
		}
	}
	if m.oneIn(4) {
		b.CarbonPrice = corehour.CarbonPrice(1+m.random.IntN(50)) * corehour.NanoPerUnit
	}
	if m.oneIn(8) {
		most := corehour.CarbonRate(100_000 + m.random.IntN(400_000))
		b.MaxCarbon = &most
	}
	return b
}

func (m *benchMarket) restingBid(at corehour.Instant) exchange.PlaceBid {
	return m.bid(at, m.price(restFrom, restTo))
}

func (m *benchMarket) fillingBid(at corehour.Instant) exchange.PlaceBid {
	return m.bid(at, m.price(fillFrom, fillTo))
}

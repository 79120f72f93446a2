package main

import (
	"fmt"
	"os"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/providers"
)

// replayMarket is the supply of a replay and the range of its prices.
type replayMarket struct {
	regions []providers.MarketRegion
	// lowest preemptible and highest on-demand price over the regions.
	lowest, highest corehour.Price
}

// readMarket joins a price list with a list of carbon intensities.
func readMarket(pricesFile, carbonFile, machine string) (replayMarket, error) {
	var m replayMarket
	prices, err := os.Open(pricesFile)
	if err != nil {
		return m, fmt.Errorf("--prices: %w", err)
	}
	defer func() { _ = prices.Close() }() // it was only read
	list, err := providers.ReadPrices(prices, machine)
	if err != nil {
		return m, fmt.Errorf("--prices %s: %w", pricesFile, err)
	}
	carbon, err := os.Open(carbonFile)
	if err != nil {
		return m, fmt.Errorf("--carbon: %w", err)
	}
	defer func() { _ = carbon.Close() }() // it was only read
	grid, err := providers.ReadGridIntensity(carbon)
	if err != nil {
		return m, fmt.Errorf("--carbon %s: %w", carbonFile, err)
	}
	if m.regions, err = providers.BuildMarket(list, grid); err != nil {
		return m, err
	}
	m.lowest, m.highest = m.regions[0].Preemptible, m.regions[0].OnDemand
	for _, r := range m.regions {
		m.lowest, m.highest = min(m.lowest, r.Preemptible), max(m.highest, r.OnDemand)
	}
	return m, nil
}

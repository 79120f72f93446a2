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
	grid, refused, err := providers.ReadGridIntensity(carbon)
	if err != nil {
		return m, fmt.Errorf("--carbon %s: %w", carbonFile, err)
	}
	for _, line := range refused {
		fmt.Fprintf(os.Stderr, "--carbon %s: line %d (%s) is not used: %s\n", carbonFile, line.Line, line.Region, line.Why)
	}
	power, err := providers.PowerOf(machine)
	if err != nil {
		return m, fmt.Errorf("--machine: %w", err)
	}
	if m.regions, err = providers.BuildMarket(list, grid, power, providers.Sources{Price: pricesFile, Carbon: carbonFile}); err != nil {
		return m, err
	}
	m.lowest, m.highest, err = providers.PriceRange(list)
	return m, err
}

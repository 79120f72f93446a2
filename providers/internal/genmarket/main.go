// Command genmarket writes providers/market.csv, the demonstration market, from
// the shared data: the price list of March 2024 and the grid intensities of 2024.
// `go generate ./providers` runs it in that package's folder. The data stands in
// the folder that COREHOUR_DATA names, or beside the repository in shared/data.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/providers"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "genmarket:", err)
		os.Exit(1)
	}
}

func run() error {
	data := os.Getenv("COREHOUR_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "shared", "data")
	}
	prices, err := readPrices(filepath.Join(data, "price", "gcp-vm-2024-03.derived.csv"))
	if err != nil {
		return err
	}
	grid, err := readGrid(filepath.Join(data, "carbon", "gcp-region-carbon", "2024.csv"))
	if err != nil {
		return err
	}
	power, err := providers.PowerOf(providers.MarketMachine)
	if err != nil {
		return err
	}
	market, err := providers.BuildMarket(prices, grid, power, providers.Sources{
		Price: providers.MarketPriceSource, Carbon: providers.MarketCarbonSource,
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := providers.WriteMarket(&out, market); err != nil {
		return err
	}
	return os.WriteFile("market.csv", out.Bytes(), 0o644) //nolint:gosec // a source file of the repository
}

func readPrices(path string) ([]providers.RegionPrice, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it is only read
	return providers.ReadPrices(file, providers.MarketMachine)
}

func readGrid(path string) (map[corehour.RegionID]providers.GridIntensity, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it is only read
	grid, refused, err := providers.ReadGridIntensity(file)
	if err != nil {
		return nil, err
	}
	for _, line := range refused {
		fmt.Fprintf(os.Stderr, "genmarket: %s, line %d refused: %s\n", path, line.Line, line.Why)
	}
	return grid, nil
}

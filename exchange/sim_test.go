package exchange

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// The seeds that are run without being told. COREHOUR_SIM_FROM and
// COREHOUR_SIM_SEEDS say otherwise, as make simulate does.
const (
	simFirstSeed  = 1
	simSeeds      = 1000
	simShownLines = 60
)

func simSetting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func TestSimulation(t *testing.T) {
	from, seeds := simSetting(t, "COREHOUR_SIM_FROM", simFirstSeed), simSetting(t, "COREHOUR_SIM_SEEDS", simSeeds)
	for seed := from; seed < from+seeds; seed++ {
		s := newSim(seed, nothing)
		s.store = &flakyStore{s: s, inside: newSimTables()}
		if found := s.run(); found != nil {
			t.Fatalf("seed %d: %v\n%s", seed, found, s.lastLines(simShownLines))
		}
	}
	fmt.Println("ok")
}

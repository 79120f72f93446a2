package exchange

import (
	"fmt"
	"testing"
)

func TestScratch(t *testing.T) {
	for _, p := range []protection{logSync, markSync, chainOfHashes, keptAnswers, projectionSwap, expectedAppend, outboxCounting, currencyOfReads} {
		kinds := map[string]int{}
		texts := map[string]string{}
		for seed := uint64(1); seed < 60; seed++ {
			s := newSim(seed, p)
			s.store = &flakyStore{s: s, inside: newSimTables()}
			if f := s.run(); f != nil {
				kinds[f.kind]++
				texts[f.kind] = fmt.Sprint(seed, f.text)
			}
		}
		fmt.Println(p, kinds)
		for k, v := range texts {
			fmt.Println("   ", k, v[:min(len(v), 250)])
		}
	}
	fills, batches, rejected, replies, reads, repeats, entries := 0, 0, 0, 0, 0, 0, 0
	for seed := uint64(1); seed < 60; seed++ {
		s := newSim(seed, nothing)
		s.store = &flakyStore{s: s, inside: newSimTables()}
		s.run()
		fills += s.bus.counts["exchange.lease.matched.v1"]
		batches += len(s.log.batches)
		reads += s.readers.heard
		for _, a := range s.clients.journal {
			if a.reply != nil {
				replies++
				var r Reply
				unmarshal(a.reply, &r)
				if r.Rejected() {
					rejected++
				}
			}
		}
		entries += len(s.clients.journal)
	}
	fmt.Println("fills", fills, "batches", batches, "replies", replies, "rejected", rejected, "reads", reads, repeats, entries)
}

package main

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/corehour/corehour/exchange"
)

const (
	benchCommands = 500_000
	// askEvery is after how many commands an interruption is looked for.
	askEvery = 4096
)

// measureStateMachine applies the mixed stream to a fresh state, as often as the
// duration asks for, and wants each time the state that drawing it has led to.
func (b *bench) measureStateMachine(ctx context.Context) error {
	b.say("%s: drawing the commands", keyStateMachine)
	var opening, mix []exchange.Prepared
	source := newStream(newBenchMarket(b.size(benchAccounts)))
	collect := func(into *[]exchange.Prepared) func(drawn) error {
		return func(s drawn) error {
			*into = append(*into, s.prepared)
			if len(*into)%askEvery == 0 {
				return ctx.Err()
			}
			return nil
		}
	}
	if err := source.opening(b.size(benchOffers), b.size(benchBids), collect(&opening)); err != nil {
		return err
	}
	if err := source.mix(b.size(benchCommands), collect(&mix)); err != nil {
		return err
	}
	want := source.state.Hash()
	source = nil
	var rounds, events, rejected int
	var took time.Duration
	for took < b.duration {
		b.say("%s: round %d", keyStateMachine, rounds+1)
		state := exchange.NewState()
		for _, c := range opening {
			state.Apply(c)
		}
		runtime.GC()
		err := b.profiled("state_machine", func() error {
			began := time.Now()
			for i, c := range mix {
				reply, emitted := state.Apply(c)
				events += emitted
				if reply.Rejected() {
					rejected++
				}
				if i%askEvery == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
			}
			took += time.Since(began)
			return nil
		})
		if err != nil {
			return err
		}
		if state.Hash() != want {
			return errors.New("the same commands led to another state")
		}
		rounds++
	}
	commands := float64(rounds * len(mix))
	b.figures[keyStateMachine] = commands / took.Seconds()
	b.detail("state_machine_events_per_command", round(float64(events)/commands),
		"state machine: %s commands a round, %s events and %s rejections a command", figure(float64(len(mix))),
		figure(float64(events)/commands), figure(float64(rejected)/commands))
	b.detail("state_machine_rejected", round(float64(rejected)/commands), "")
	return nil
}

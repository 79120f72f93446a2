package exchange

import (
	"fmt"

	"github.com/corehour/corehour"
)

// Prepared is a command as the applier has it: decoded, beside the bytes that
// stand in the log, which tell a repeat from another command.
type Prepared struct {
	at   corehour.Instant
	cmd  Command
	body []byte
}

// Prepare encodes a command and reads it back, which is what lies between a
// caller and the state machine but for the log.
func Prepare(at corehour.Instant, cmd Command) (Prepared, error) {
	decoded, body, err := readBack(cmd)
	if err != nil {
		return Prepared{}, fmt.Errorf("exchange: %w", err)
	}
	return Prepared{at: at, cmd: decoded, body: body}, nil
}

// Apply carries a command out in a state that no exchange works on, and says how
// many events came of it. It is for who measures or models the state machine by
// itself; an exchange's commands go through Submit.
func (s *State) Apply(p Prepared) (reply Reply, events int) {
	reply = s.apply(p.at, p.cmd, p.body)
	return reply, len(s.events)
}

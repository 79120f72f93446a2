package exchange

import (
	"fmt"
	"reflect"

	"github.com/corehour/corehour/exchange/log"
)

// Describe reads a command as it stands in the log: what it is called and what it
// says. It is for people and tools that look at a log.
func Describe(e log.Entry) (name string, cmd Command, err error) {
	cmd, err = decodeCommand(Kind(e.Kind), e.Body)
	if err != nil {
		return fmt.Sprintf("kind %d", e.Kind), nil, err
	}
	return reflect.TypeOf(cmd).Name(), cmd, nil
}

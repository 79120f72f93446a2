package exchange

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

// clients are those who send commands. They keep a journal of what they have sent
// under which name and what was answered, repeat what was not answered at any
// node, and now and then what was.
type clients struct {
	orders  []*order   // commands that were thought of and sent
	again   []*order   // to be sent again
	waiting []*attempt // for an answer
	journal []*attempt // all that were ever sent
	bid     corehour.BidID
}

// order is a command of a client. Under a name it may be sent as often as needed.
type order struct {
	cmd   Command
	named bool
	// reply is the first answer, nil before it.
	reply []byte
}

// attempt is one sending of it.
type attempt struct {
	order   *order // nil for a tick of a node
	node    *simNode
	epoch   int // of the node
	pending *Pending
	reply   []byte // nil without an answer
}

// act lets a client send something, or lose its patience.
func (c *clients) act(s *sim) {
	n := pick(s, s.nodes)
	switch what := s.random.IntN(20); {
	case what == 0 && len(c.waiting) > 0 && s.chance(500):
		a := pick(s, c.waiting)
		s.note("a client waits no longer for %T from %s", a.order.cmd, a.node.name)
		c.unanswered(s, a)
	case what < 6 && len(c.again) > 0:
		if n.up {
			c.send(s, n, take(s, &c.again))
		}
	case what < 8 && len(c.orders) > 0 && !s.calm:
		if o := pick(s, c.orders); o.named && o.reply != nil && n.up {
			s.note("a client asks again")
			c.send(s, n, o)
		}
	case len(c.orders) < s.traits.commands && n.up && !s.calm:
		o := c.draw(s, n.x.state)
		c.orders = append(c.orders, o)
		c.send(s, n, o)
	}
}

// draw thinks of a command. Half of them are orders that are likely to meet, or
// take a lease one step on, so that there is something to lose; the others come
// from the generators of the property tests, which try everything.
func (c *clients) draw(s *sim, seen *State) *order {
	var cmd Command
	switch what := s.random.IntN(20); {
	case what < 3:
		cmd = s.likelyOffer(seen)
	case what < 7:
		cmd = s.likelyBid(seen)
	case what < 10 && len(seen.leases) > 0:
		cmd = drawn(s, func(t *rapid.T) Command { return drawWork(t, seen) })
	default:
		cmd = drawn(s, func(t *rapid.T) Command { return drawCommand(t, seen) })
	}
	o := &order{cmd: cmd}
	if s.random.IntN(5) > 0 {
		o.cmd, o.named = named(cmd, fmt.Sprintf("job-%d", len(c.orders)))
	}
	return o
}

func drawn(s *sim, draw func(t *rapid.T) Command) Command {
	return rapid.Custom(draw).Example(int(s.random.Int64()))
}

var simAccounts = []corehour.AccountID{"a", "b", "c", "d"}

func (s *sim) likelyOffer(seen *State) Command {
	from := seen.startable()
	return PlaceOffer{
		Product: "cpu", Provider: pick(s, simAccounts[:2]), Region: "r1", Units: corehour.Units(4 + s.random.IntN(12)), From: from,
		To: from.Add(corehour.Minutes(120 + s.random.IntN(600))), Price: corehour.Price(1+s.random.IntN(20)) * corehour.Tick,
		SLA: corehour.SLAStandard,
	}
}

func (s *sim) likelyBid(seen *State) Command {
	from := seen.startable()
	return PlaceBid{
		Product: "cpu", Consumer: pick(s, simAccounts[2:]), Units: corehour.Units(1 + s.random.IntN(8)),
		Duration: corehour.Minutes(5 + s.random.IntN(40)), EarliestStart: from, LatestEnd: from.Add(corehour.Minutes(100 + s.random.IntN(400))),
		Limit: corehour.Price(10+s.random.IntN(30)) * corehour.Tick,
	}
}

// named gives a command a name under which it happens once. Others have none.
func named(cmd Command, name string) (Command, bool) {
	switch c := cmd.(type) {
	case PlaceOffer:
		c.ClientID = name
		return c, true
	case PlaceBid:
		c.ClientID = name
		return c, true
	case PlaceBidGroup:
		c.ClientID = name
		return c, true
	case Deposit:
		c.Reference = name
		return c, true
	case PayOut:
		c.Reference = name
		return c, true
	case PostBond:
		c.Reference = name
		return c, true
	case ReleaseBond:
		c.Reference = name
		return c, true
	}
	return cmd, false
}

func (c *clients) send(s *sim, n *simNode, o *order) {
	p, err := n.x.Enqueue(context.Background(), o.cmd)
	if err != nil {
		s.violate(stuck, "%s takes no command: %v", n.name, err)
	}
	s.note("%s: is sent %T", n.name, o.cmd)
	a := &attempt{order: o, node: n, epoch: n.epoch, pending: p}
	c.waiting = append(c.waiting, a)
	c.journal = append(c.journal, a)
}

// tick is what a node sends itself.
func (c *clients) tick(s *sim, n *simNode) {
	p, err := n.x.Enqueue(context.Background(), Tick{})
	if err != nil {
		s.violate(stuck, "%s takes no tick: %v", n.name, err)
	}
	c.journal = append(c.journal, &attempt{node: n, epoch: n.epoch, pending: p})
}

// listen takes in the answers that are there.
func (c *clients) listen(s *sim) {
	for _, a := range slices.Clone(c.waiting) {
		select {
		case o := <-a.pending.done:
			if o.err != nil {
				c.unanswered(s, a)
				continue
			}
			c.heard(s, a, &o.reply)
		default:
		}
	}
}

func (c *clients) heard(s *sim, a *attempt, reply *Reply) {
	c.forget(a)
	a.reply = marshal(reply)
	s.note("%s: answers %T %s", a.node.name, a.order.cmd, inShort(reply))
	c.bid = max(c.bid, reply.Bid)
	switch {
	case !a.order.named || reply.passing(): // a refusal that will pass is not remembered
	case a.order.reply == nil:
		a.order.reply = a.reply
		c.again = slices.DeleteFunc(c.again, func(o *order) bool { return o == a.order })
	case !bytes.Equal(a.order.reply, a.reply):
		s.violate(otherAnswer, "%+v was answered %x, a repeat %x (%+v)", a.order.cmd, a.order.reply, a.reply, *reply)
	}
}

func inShort(r *Reply) string {
	if r.Rejected() {
		return fmt.Sprintf("%s repeat %t", r.Code, r.Repeat)
	}
	return fmt.Sprintf("%s %s %s open %d fills %d repeat %t", r.Offer, r.Bid, r.Lease, r.Open, len(r.Fills), r.Repeat)
}

// unanswered is what becomes of a command that nobody answers: whoever can, sends
// it again.
func (c *clients) unanswered(s *sim, a *attempt) {
	c.forget(a)
	if a.order.named && a.order.reply == nil && (s.calm || s.random.IntN(8) > 0) {
		c.again = append(c.again, a.order)
	}
}

func (c *clients) forget(a *attempt) {
	c.waiting = slices.DeleteFunc(c.waiting, func(other *attempt) bool { return other == a })
}

// hangUp is a node that has gone: what was under way there nobody answers. An
// answer that has been given just before arrives.
func (c *clients) hangUp(s *sim, n *simNode) {
	c.listen(s)
	for _, a := range slices.Clone(c.waiting) {
		if a.node == n {
			c.unanswered(s, a)
		}
	}
}

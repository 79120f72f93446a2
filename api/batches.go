package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour/exchange"
)

// PlaceBids is the body of POST /v1/bids/batch.
type PlaceBids struct {
	Items []PlaceBid `json:"items" minItems:"1" maxItems:"1000" doc:"1 to 1000 bids, placed in this order. Each stands alone: one that is refused does not keep another out."`
}

// PlaceOffers is the body of POST /v1/offers/batch.
type PlaceOffers struct {
	Items []PlaceOffer `json:"items" minItems:"1" maxItems:"1000" doc:"1 to 1000 offers, placed in this order. Each stands alone: one that is refused does not keep another out."`
}

func (b *PlaceBids) check(c *checker) {
	c.each("items", len(b.Items), func(i int) { b.Items[i].check(c) })
}

func (b *PlaceOffers) check(c *checker) {
	c.each("items", len(b.Items), func(i int) { b.Items[i].check(c) })
}

// each checks the members of a list until there is no room for more problems.
func (c *checker) each(list string, n int, check func(i int)) {
	for i := range n {
		if len(c.found) < MaxFieldProblems {
			c.within = item(list, i)
			check(i)
		}
	}
	c.found = c.found[:min(len(c.found), MaxFieldProblems)]
	c.within = ""
}

// BidsPlaced answers each bid of a batch, in its order.
type BidsPlaced struct {
	Items []BidAnswer `json:"items"`
}

// BidAnswer is what became of one bid of a batch: what it would have been
// answered by itself.
type BidAnswer struct {
	Status  int64      `json:"status" doc:"The status that it would have been answered with by itself: 201, 200 for a repeat, or that of the problem." example:"201"`
	Placed  *BidPlaced `json:"placed,omitempty" doc:"What it got, where it was placed."`
	Problem *Problem   `json:"problem,omitempty" doc:"Why it was refused, where it was."`
}

// OffersPlaced answers each offer of a batch, in its order.
type OffersPlaced struct {
	Items []OfferAnswer `json:"items"`
}

// OfferAnswer is what became of one offer of a batch: what it would have been
// answered by itself.
type OfferAnswer struct {
	Status  int64        `json:"status" doc:"The status that it would have been answered with by itself: 201, 200 for a repeat, or that of the problem." example:"201"`
	Placed  *OfferPlaced `json:"placed,omitempty" doc:"What it met, where it was placed."`
	Problem *Problem     `json:"problem,omitempty" doc:"Why it was refused, where it was."`
}

func (s *Server) registerBatches() {
	const alone = "Each item is carried out or refused for itself, in the order of the request, and is answered as it would have been by itself; " +
		"orders of others may come between them. A request whose form is wrong in any item places none of them."
	register(s, operation{
		id: "place-bids", method: http.MethodPost, path: "/v1/bids/batch", tag: "bids",
		summary: "Place many bids in one request", description: alone, roles: []Role{RoleConsumer},
	}, s.placeBids)
	register(s, operation{
		id: "place-offers", method: http.MethodPost, path: "/v1/offers/batch", tag: "offers",
		summary: "Place many offers in one request", description: alone, roles: []Role{RoleProvider},
	}, s.placeOffers)
}

func (s *Server) placeBids(ctx context.Context, c Caller, in *withBody[PlaceBids]) (*struct{ Body BidsPlaced }, error) {
	out := &struct{ Body BidsPlaced }{}
	err := placeAll(ctx, s, in.Body.value.Items,
		func(b *PlaceBid) exchange.Command { return b.command(c.Account) },
		func(b *PlaceBid, reply *exchange.Reply, status int64, problem *Problem) {
			answer := BidAnswer{Status: status, Problem: problem}
			if problem == nil {
				placed := bidPlaced(b, reply)
				answer.Placed = &placed
			}
			out.Body.Items = append(out.Body.Items, answer)
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Server) placeOffers(ctx context.Context, c Caller, in *withBody[PlaceOffers]) (*struct{ Body OffersPlaced }, error) {
	out := &struct{ Body OffersPlaced }{}
	err := placeAll(ctx, s, in.Body.value.Items,
		func(o *PlaceOffer) exchange.Command { return o.command(c.Account) },
		func(o *PlaceOffer, reply *exchange.Reply, status int64, problem *Problem) {
			answer := OfferAnswer{Status: status, Problem: problem}
			if problem == nil {
				placed := offerPlaced(o, reply)
				answer.Placed = &placed
			}
			out.Body.Items = append(out.Body.Items, answer)
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// placeAll submits the commands of a batch and gives each item's answer, in order.
func placeAll[T any](ctx context.Context, s *Server, given []T, command func(*T) exchange.Command,
	answer func(item *T, reply *exchange.Reply, status int64, problem *Problem),
) error {
	commands := make([]exchange.Command, len(given))
	for i := range given {
		commands[i] = command(&given[i])
	}
	replies, err := s.config.Exchange.SubmitAll(ctx, commands)
	if err != nil {
		return err
	}
	for i := range given {
		status, problem := answerOf(i, &replies[i])
		answer(&given[i], &replies[i], status, problem)
	}
	return nil
}

// answerOf is the status of one item of a batch, and why it was refused if it was.
func answerOf(i int, reply *exchange.Reply) (int64, *Problem) {
	switch {
	case reply.Rejected():
		p := rejection(reply)
		p.Field = itemField(i, reply.Field)
		return int64(p.Status), p
	case reply.Repeat:
		return statusRepeated, nil
	}
	return statusCreated, nil
}

// itemField places a command's field in the item that it was made of.
func itemField(i int, name string) string {
	place := bodyField(item("items", i))
	if name == "" || commandField(name) == "" { // the item as a whole, or the token's account
		return place
	}
	return place + "." + name
}

func bidPlaced(b *PlaceBid, reply *exchange.Reply) BidPlaced {
	return BidPlaced{Bid: reply.Bid, BidResult: resultOf(&b.BidTerms, reply)}
}

func offerPlaced(b *PlaceOffer, reply *exchange.Reply) OfferPlaced {
	out := OfferPlaced{Offer: reply.Offer, Status: statusOfOrder(reply.Closed), Units: b.Units, Closed: reply.Closed}
	out.Fills, _ = fillsOf(reply.Fills)
	return out
}

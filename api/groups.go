package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// PlaceBidGroup is the body of POST /v1/bid-groups.
type PlaceBidGroup struct {
	Bids     []BidTerms         `json:"bids" minItems:"2" maxItems:"16" doc:"2 to 16 bids of which one is to fill, in the order in which they are tried."`
	ClientID string             `json:"client_id,omitempty" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"Your name for this group, unlike those of your bids. With the same name it is placed once." example:"either-4711"`
	Session  corehour.SessionID `json:"session,omitempty" maxLength:"64" doc:"The open session that takes them back when it ends; none if not given." example:"desk-1"`
}

func (b *PlaceBidGroup) check(c *checker) {
	c.each("bids", len(b.Bids), func(i int) { b.Bids[i].check(c) })
}

// item is the name of one of a list.
func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// BidGroupPlaced is the answer to POST /v1/bid-groups.
type BidGroupPlaced struct {
	Bids []GroupMember `json:"bids" doc:"What became of each bid, in the order of the request."`
}

// GroupMember is what became of one bid of a group.
type GroupMember struct {
	Bid corehour.BidID `json:"bid,omitzero" doc:"Absent where it was not placed: because one before it filled, or for the code."`
	BidResult
	Code   corehour.Code `json:"code,omitempty" doc:"Why this bid alone was refused, such as would_trade."`
	Field  string        `json:"field,omitempty" doc:"What of it is to blame." example:"body.bids[1].post_only"`
	Detail string        `json:"detail,omitempty" doc:"Why it was refused, for a person."`
}

func (s *Server) registerGroups() {
	register(s, operation{
		id: "place-bid-group", method: http.MethodPost, path: "/v1/bid-groups", tag: "bids",
		summary: "Bid for one of several",
		description: "Places bids of which at most one fills completely: that one closes its siblings with sibling_filled, and those after it are not placed. " +
			"Leases that siblings became before stay. If one of the bids is invalid, or the funds do not cover the holds of all of them together, none is placed.",
		roles: []Role{RoleConsumer}, status: http.StatusCreated, responses: replayResponse(),
	}, s.placeBidGroup)
}

func (s *Server) placeBidGroup(ctx context.Context, c Caller, in *withBody[PlaceBidGroup]) (*created[BidGroupPlaced], error) {
	b := &in.Body.value
	command := exchange.PlaceBidGroup{Consumer: c.Account, ClientID: b.ClientID, Session: b.Session}
	for i := range b.Bids {
		command.Bids = append(command.Bids, b.Bids[i].command(c.Account))
	}
	reply, err := s.config.Exchange.Submit(ctx, command)
	switch {
	case err != nil:
		return nil, err
	case reply.Code == exchange.CodeWouldTrade: // each of them
		p := rejection(&reply)
		p.Field = "body.bids"
		return nil, p
	case reply.Rejected():
		return nil, rejection(&reply)
	}
	out := BidGroupPlaced{Bids: make([]GroupMember, len(reply.Members))}
	for i := range reply.Members {
		m := &reply.Members[i]
		out.Bids[i] = GroupMember{Bid: m.Bid, BidResult: resultOf(&b.Bids[i], m), Code: m.Code, Detail: m.Message}
		if m.Rejected() {
			out.Bids[i].Status = exchange.StatusClosed
			if m.Field != "" {
				out.Bids[i].Field = "body." + item("bids", i) + "." + m.Field
			}
		}
	}
	return createdAt("/v1/bids", reply.Repeat, out), nil
}

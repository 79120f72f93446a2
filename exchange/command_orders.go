package exchange

import "github.com/corehour/corehour"

// PlaceOffer offers capacity. Zero From is the next whole minute; zero MinFill
// and MinDuration are 1. ClientID, where given, makes it happen once.
//
// An offer asserts its Carbon, or it states its Energy per unit-hour and emits
// what the grid Zone does in the very hours of a lease; without a Zone that is
// its region's. PostOnly is rejected with CodeWouldTrade where the offer would
// meet a resting bid at once.
type PlaceOffer struct {
	Product       corehour.ProductID   `cbor:"1,keyasint"`
	Provider      corehour.AccountID   `cbor:"2,keyasint"`
	Region        corehour.RegionID    `cbor:"3,keyasint"`
	Units         corehour.Units       `cbor:"4,keyasint"`
	From          corehour.Minute      `cbor:"5,keyasint,omitempty"`
	To            corehour.Minute      `cbor:"6,keyasint"`
	Price         corehour.Price       `cbor:"7,keyasint"`
	Carbon        corehour.CarbonRate  `cbor:"8,keyasint"`
	SLA           corehour.SLA         `cbor:"9,keyasint"`
	Interruptible bool                 `cbor:"10,keyasint,omitempty"`
	MinFill       corehour.Units       `cbor:"11,keyasint,omitempty"`
	MinDuration   corehour.Minutes     `cbor:"12,keyasint,omitempty"`
	TakeOrPay     corehour.BasisPoints `cbor:"13,keyasint,omitempty"`
	ClientID      string               `cbor:"14,keyasint,omitempty"`
	Energy        corehour.Energy      `cbor:"15,keyasint,omitempty"`
	Zone          corehour.ZoneID      `cbor:"16,keyasint,omitempty"`
	PostOnly      bool                 `cbor:"17,keyasint,omitempty"`
	Session       corehour.SessionID   `cbor:"30,keyasint,omitempty"`
}

// CancelOffer ends the sale of an offer, named by its id or by the client id
// that it was placed with; its leases go on.
type CancelOffer struct {
	Provider corehour.AccountID `cbor:"1,keyasint"`
	Offer    corehour.OfferID   `cbor:"2,keyasint"`
	ClientID string             `cbor:"3,keyasint,omitempty"`
}

// AmendOffer changes the terms of an open offer; nil leaves a term as it is.
// Fewer Units alone keep the offer's priority, anything else makes it the newest
// of its book. What is sold from now on stays sold: terms that do not cover it
// are rejected with CodeSold, and a post-only offer that would trade with
// CodeWouldTrade; both leave the offer as it was.
type AmendOffer struct {
	Provider    corehour.AccountID `cbor:"1,keyasint"`
	Offer       corehour.OfferID   `cbor:"2,keyasint"`
	Units       *corehour.Units    `cbor:"3,keyasint,omitempty"`
	Price       *corehour.Price    `cbor:"4,keyasint,omitempty"`
	From        *corehour.Minute   `cbor:"5,keyasint,omitempty"`
	To          *corehour.Minute   `cbor:"6,keyasint,omitempty"`
	MinFill     *corehour.Units    `cbor:"7,keyasint,omitempty"`
	MinDuration *corehour.Minutes  `cbor:"8,keyasint,omitempty"`
}

// PlaceBid bids for capacity. Zero EarliestStart is the next whole minute; zero
// LatestEnd is EarliestStart + Duration; zero MinFill is 1, zero MaxLeases is
// corehour.MaxLeasesPerBid, zero MinSLA is basic, zero TimeInForce is gtc, nil
// MaxTakeOrPay accepts any share.
//
// Regions, Countries and Continents say where it may run: where any of them
// allows, or anywhere if none of them allows anything, but nowhere that one of
// them denies. Countries and continents cover regions that are defined later.
//
// MinPiece above zero makes the bid splittable: it takes its Duration in at most
// MaxLeases pieces of at least MinPiece, none at the same time as another, each
// with all its Units from one offer. MinFill is then left out, or equal to Units
// of more than one, which makes it all pieces at once or none. PostOnly is
// rejected with CodeWouldTrade where the bid would meet an offer at once.
type PlaceBid struct {
	Product       corehour.ProductID                   `cbor:"1,keyasint"`
	Consumer      corehour.AccountID                   `cbor:"2,keyasint"`
	Units         corehour.Units                       `cbor:"3,keyasint"`
	Duration      corehour.Minutes                     `cbor:"4,keyasint"`
	EarliestStart corehour.Minute                      `cbor:"5,keyasint,omitempty"`
	LatestEnd     corehour.Minute                      `cbor:"6,keyasint,omitempty"`
	Limit         corehour.Price                       `cbor:"7,keyasint"`
	Regions       corehour.Allowed[corehour.RegionID]  `cbor:"8,keyasint,omitempty"`
	Providers     corehour.Allowed[corehour.AccountID] `cbor:"9,keyasint,omitempty"`
	MaxCarbon     *corehour.CarbonRate                 `cbor:"10,keyasint,omitempty"`
	CarbonPrice   corehour.CarbonPrice                 `cbor:"11,keyasint,omitempty"`
	MinSLA        corehour.SLA                         `cbor:"12,keyasint,omitempty"`
	Interruptible bool                                 `cbor:"13,keyasint,omitempty"`
	MinFill       corehour.Units                       `cbor:"14,keyasint,omitempty"`
	MaxLeases     int                                  `cbor:"15,keyasint,omitempty"`
	TimeInForce   corehour.TimeInForce                 `cbor:"16,keyasint,omitempty"`
	ExpiresAt     corehour.Instant                     `cbor:"17,keyasint,omitempty"`
	ClientID      string                               `cbor:"18,keyasint,omitempty"`
	Countries     corehour.Allowed[string]             `cbor:"19,keyasint,omitempty"`
	Continents    corehour.Allowed[string]             `cbor:"20,keyasint,omitempty"`
	MaxTakeOrPay  *corehour.BasisPoints                `cbor:"21,keyasint,omitempty"`
	MinPiece      corehour.Minutes                     `cbor:"22,keyasint,omitempty"`
	PostOnly      bool                                 `cbor:"23,keyasint,omitempty"`
	Session       corehour.SessionID                   `cbor:"30,keyasint,omitempty"`
	// CoverInterrupted asks for cover also where an interruptible lease ends early.
	CoverInterrupted bool `cbor:"35,keyasint,omitempty"`
}

// PlaceBidGroup places bids of which at most one is to fill completely, in their
// order. If one of them is invalid, or the funds do not cover the holds of all of
// them together, none is placed. The first that fills completely closes its
// resting siblings with corehour.CloseSiblingFilled, and those after it are not
// placed. Leases that siblings became before stay.
//
// Each member holds what it may cost, so a group holds the sum over its members
// until one fills; it is not enough to have funds for the dearest one.
//
// Members have the group's Consumer, or leave theirs out, and no client id of
// their own: ClientID makes the whole group happen once, among the client ids of
// the consumer's bids. Neither have they a session of their own: it is the
// group's. Reply.Members has one answer for each member.
type PlaceBidGroup struct {
	Consumer corehour.AccountID `cbor:"1,keyasint"`
	Bids     []PlaceBid         `cbor:"2,keyasint"`
	ClientID string             `cbor:"3,keyasint,omitempty"`
	Session  corehour.SessionID `cbor:"30,keyasint,omitempty"`
}

// CancelBid takes back what is open of a bid, named by its id or by the client
// id that it was placed with; its leases go on. The client id of a group takes
// back all open members, one answer for each in Reply.Members.
type CancelBid struct {
	Consumer corehour.AccountID `cbor:"1,keyasint"`
	Bid      corehour.BidID     `cbor:"2,keyasint"`
	ClientID string             `cbor:"3,keyasint,omitempty"`
}

// AmendBid changes the terms of an open bid; nil leaves a term as it is. Units
// are the new total, what is filled included: a total that is not above what is
// filled closes the bid as cancelled. Fewer Units alone keep the bid's priority,
// anything else makes it the newest of its book under the same id. MaxCarbon of
// corehour.MaxCarbonRate is no cap any more. An amendment that is rejected (for
// funds, or because a post-only bid would trade) leaves the bid as it was.
type AmendBid struct {
	Consumer      corehour.AccountID    `cbor:"1,keyasint"`
	Bid           corehour.BidID        `cbor:"2,keyasint"`
	Units         *corehour.Units       `cbor:"3,keyasint,omitempty"`
	Limit         *corehour.Price       `cbor:"4,keyasint,omitempty"`
	EarliestStart *corehour.Minute      `cbor:"5,keyasint,omitempty"`
	LatestEnd     *corehour.Minute      `cbor:"6,keyasint,omitempty"`
	MaxCarbon     *corehour.CarbonRate  `cbor:"7,keyasint,omitempty"`
	CarbonPrice   *corehour.CarbonPrice `cbor:"8,keyasint,omitempty"`
	MinFill       *corehour.Units       `cbor:"9,keyasint,omitempty"`
	ExpiresAt     *corehour.Instant     `cbor:"10,keyasint,omitempty"`
}

// CancelAll takes back an account's open orders, of one Product or of all: its
// bids in the order of their ids, then its offers; their leases go on. One
// command closes at most MaxCancelled of them; Reply.More says that some are
// left.
type CancelAll struct {
	Account corehour.AccountID `cbor:"1,keyasint"`
	Product corehour.ProductID `cbor:"2,keyasint,omitempty"`
}

// Limits of one command.
const (
	// MaxGroup bounds the bids of one exclusive group; it has at least two.
	MaxGroup = 16
	// MaxCancelled bounds how many orders one CancelAll closes.
	MaxCancelled = 10_000
)

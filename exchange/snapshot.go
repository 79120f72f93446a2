package exchange

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// image is a State as bytes: everything in a fixed order, so that equal states
// have equal images. Fields are numbered and never renumbered; what is zero is
// left out. Books are not in it: they follow from the open orders and
// the running leases.
type image struct {
	Version     uint8                `cbor:"1,keyasint,omitempty"`
	Now         corehour.Instant     `cbor:"2,keyasint,omitempty"`
	Fee         corehour.BasisPoints `cbor:"3,keyasint,omitempty"`
	LastOffer   corehour.OfferID     `cbor:"4,keyasint,omitempty"`
	LastBid     corehour.BidID       `cbor:"5,keyasint,omitempty"`
	LastLease   corehour.LeaseID     `cbor:"6,keyasint,omitempty"`
	LastArrival uint64               `cbor:"7,keyasint,omitempty"`
	Deposited   corehour.Money       `cbor:"8,keyasint,omitempty"`
	Fees        corehour.Money       `cbor:"9,keyasint,omitempty"`
	Products    []corehour.Product   `cbor:"10,keyasint,omitempty"`
	Regions     []corehour.Region    `cbor:"11,keyasint,omitempty"`
	Zones       []zoneImage          `cbor:"12,keyasint,omitempty"`
	Orgs        []corehour.OrgID     `cbor:"13,keyasint,omitempty"`
	Accounts    []accountImage       `cbor:"14,keyasint,omitempty"`
	Offers      []offerImage         `cbor:"15,keyasint,omitempty"`
	Bids        []bidImage           `cbor:"16,keyasint,omitempty"`
	Leases      []leaseImage         `cbor:"17,keyasint,omitempty"`
	Kept        []keptImage          `cbor:"18,keyasint,omitempty"`
	riskImage

	Rules       *corehour.LeaseRules `cbor:"30,keyasint,omitempty"`
	ControlLost bool                 `cbor:"31,keyasint,omitempty"`
	Regained    corehour.Instant     `cbor:"32,keyasint,omitempty"`
	Closed      []bidImage           `cbor:"33,keyasint,omitempty"`
}

type accountImage struct {
	ID        corehour.AccountID `cbor:"1,keyasint,omitempty"`
	Org       corehour.OrgID     `cbor:"2,keyasint,omitempty"`
	Name      string             `cbor:"3,keyasint,omitempty"`
	Available corehour.Money     `cbor:"4,keyasint,omitempty"`
	Held      corehour.Money     `cbor:"5,keyasint,omitempty"`
	accountRiskImage
	Bond corehour.Money `cbor:"20,keyasint,omitempty"`
}

type offerImage struct {
	Offer   corehour.Offer `cbor:"1,keyasint,omitempty"`
	Arrival uint64         `cbor:"2,keyasint,omitempty"`
	Unseen  bool           `cbor:"20,keyasint,omitempty"`

	Withdrawn []withdrawal `cbor:"30,keyasint,omitempty"`
}

type zoneImage struct {
	ID     corehour.ZoneID      `cbor:"1,keyasint,omitempty"`
	Mean   corehour.Intensity   `cbor:"2,keyasint,omitempty"`
	From   corehour.Minute      `cbor:"3,keyasint,omitempty"`
	Values []corehour.Intensity `cbor:"4,keyasint,omitempty"`
}

type bidImage struct {
	Bid        corehour.Bid     `cbor:"1,keyasint,omitempty"`
	Arrival    uint64           `cbor:"2,keyasint,omitempty"`
	Open       corehour.Units   `cbor:"3,keyasint,omitempty"`
	Left       corehour.Minutes `cbor:"4,keyasint,omitempty"`
	Taken      []spanImage      `cbor:"5,keyasint,omitempty"`
	LeasesLeft int              `cbor:"6,keyasint,omitempty"`
	AllOrNone  bool             `cbor:"7,keyasint,omitempty"`
	Hold       corehour.Money   `cbor:"8,keyasint,omitempty"`
	LeaseHolds corehour.Money   `cbor:"9,keyasint,omitempty"`
	Cover      *coverImage      `cbor:"30,keyasint,omitempty"`
}

type spanImage struct {
	From corehour.Minute `cbor:"1,keyasint,omitempty"`
	To   corehour.Minute `cbor:"2,keyasint,omitempty"`
}

type leaseImage struct {
	Lease   corehour.Lease       `cbor:"1,keyasint,omitempty"`
	Status  corehour.LeaseStatus `cbor:"2,keyasint,omitempty"`
	EndedAt corehour.Instant     `cbor:"3,keyasint,omitempty"`
	Charges []charge             `cbor:"4,keyasint,omitempty"`
	Charged corehour.Money       `cbor:"5,keyasint,omitempty"`
	FeePaid corehour.Money       `cbor:"6,keyasint,omitempty"`

	AcceptedAt corehour.Instant `cbor:"7,keyasint,omitempty"`
	StartedAt  corehour.Instant `cbor:"8,keyasint,omitempty"`
	Credited   corehour.Money   `cbor:"9,keyasint,omitempty"`
	overseenImage
}

type keptImage struct {
	Account corehour.AccountID `cbor:"1,keyasint,omitempty"`
	Kind    Kind               `cbor:"2,keyasint,omitempty"`
	Key     string             `cbor:"3,keyasint,omitempty"`
	Body    Hash               `cbor:"4,keyasint,omitempty"`
	Reply   []byte             `cbor:"5,keyasint,omitempty"`
}

const imageVersion = 4

// encode writes the state's image.
func (s *State) encode() []byte {
	img := image{
		Version: imageVersion, Now: s.now, Fee: s.fee, LastOffer: s.lastOffer, LastBid: s.lastBid,
		LastLease: s.lastLease, LastArrival: s.lastArrival, Deposited: s.deposited, Fees: s.fees,
		Regions: s.regions, Orgs: s.orgs, riskImage: s.riskImage(),
	}
	for _, p := range s.products {
		img.Products = append(img.Products, p.Product)
	}
	for _, a := range s.accounts {
		img.Accounts = append(img.Accounts, accountImage{
			ID: a.id, Org: a.org, Name: a.name, Available: a.available, Held: a.held, Bond: a.bond, accountRiskImage: a.riskImage(),
		})
	}
	for i, z := range s.zones {
		_, from, values := s.grid.Curve(orderbook.ZoneIndex(i + 1))
		img.Zones = append(img.Zones, zoneImage{ID: z.ID, Mean: z.Mean, From: from, Values: values})
	}
	for _, id := range sortedKeys(s.offers) {
		o := s.offers[id]
		img.Offers = append(img.Offers, offerImage{Offer: o.Offer, Arrival: o.arrival, Unseen: o.unseen, Withdrawn: o.withdrawn})
	}
	for _, id := range sortedKeys(s.bids) {
		img.Bids = append(img.Bids, s.bids[id].image())
	}
	for _, id := range sortedKeys(s.leases) {
		l := s.leases[id]
		img.Leases = append(img.Leases, leaseImage{
			Lease: l.Lease, Status: l.status, EndedAt: l.endedAt, Charges: l.charges, Charged: l.charged, FeePaid: l.feePaid,
			AcceptedAt: l.acceptedAt, StartedAt: l.startedAt, Credited: l.credited, overseenImage: l.image(),
		})
	}
	s.encodeOversight(&img)
	img.Kept = s.keptImages()
	return marshal(&img)
}

func (b *bid) image() bidImage {
	img := bidImage{
		Bid: b.Bid, Arrival: b.arrival, Open: b.open, Left: b.left, LeasesLeft: b.leasesLeft, AllOrNone: b.allOrNone,
		Hold: b.hold, LeaseHolds: b.leaseHolds, Cover: b.cover.image(),
	}
	for _, piece := range b.taken {
		img.Taken = append(img.Taken, spanImage{From: piece.From, To: piece.To})
	}
	return img
}

func (s *State) keptImages() []keptImage {
	images := make([]keptImage, 0, len(s.kept))
	for key, kept := range s.kept {
		images = append(images, keptImage{Account: key.account, Kind: key.kind, Key: key.key, Body: kept.body, Reply: kept.reply})
	}
	slices.SortFunc(images, func(a, b keptImage) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	return images
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}

// Hash is the SHA-256 of the state's image: equal hashes are equal states.
func (s *State) Hash() Hash { return sha256.Sum256(s.encode()) }

// decodeState rebuilds a state from its image, books and deadlines included.
func decodeState(encoded []byte) (*State, error) {
	img := new(image)
	if err := unmarshal(encoded, img); err != nil {
		return nil, fmt.Errorf("state image does not decode: %w", err)
	}
	if img.Version != imageVersion {
		return nil, fmt.Errorf("state image has version %d, this program reads %d", img.Version, imageVersion)
	}
	s := NewState()
	s.now, s.fee, s.deposited, s.fees = img.Now, img.Fee, img.Deposited, img.Fees
	s.decodeOversight(img)
	s.lastOffer, s.lastBid, s.lastLease, s.lastArrival = img.LastOffer, img.LastBid, img.LastLease, img.LastArrival
	for _, p := range img.Products {
		s.addProduct(p)
	}
	for _, r := range img.Regions {
		s.addRegion(r)
	}
	for _, z := range img.Zones {
		i := s.addZone(corehour.Zone{ID: z.ID, Mean: z.Mean})
		if len(z.Values) > 0 {
			s.grid.Set(z.From, i, z.From, z.Values)
		}
	}
	for _, org := range img.Orgs {
		s.internOrg(org)
	}
	for _, a := range img.Accounts {
		restored := s.addAccount(a.ID, a.Org, a.Name)
		restored.available, restored.held, restored.bond = a.Available, a.Held, a.Bond
		s.restoreFunds(restored, &a.accountRiskImage)
	}
	for _, k := range img.Kept {
		s.kept[keptKey{k.Account, k.Kind, k.Key}] = keptReply{body: k.Body, reply: k.Reply}
	}
	if err := s.restoreRisk(&img.riskImage); err != nil {
		return nil, err
	}
	if err := s.restoreOrders(img); err != nil {
		return nil, err
	}
	s.suspendHalted()
	return s, nil
}

func (s *State) restoreOrders(img *image) error {
	for _, from := range img.Offers {
		o := &offer{Offer: from.Offer, arrival: from.Arrival, unseen: from.Unseen, withdrawn: from.Withdrawn}
		p := s.productNamed[o.Product]
		if _, ok := s.regionNamed[o.Region]; p == nil || !ok || s.accountNamed[o.Provider] == nil {
			return fmt.Errorf("state image: %s names what does not exist", o.ID)
		}
		if _, known := s.zoneNamed[o.Zone]; o.Energy > 0 && !known {
			return fmt.Errorf("state image: %s names no zone", o.ID)
		}
		o.session = s.accountNamed[o.Provider].session(o.Session)
		s.listOffer(o)
		o.ref = p.book.RestoreOffer(s.bookOffer(&o.Offer, o.arrival))
		s.schedule(offerDeadline(o), offerWindowPasses, uint64(o.ID))
		s.restoreWithdrawn(o)
	}
	for _, from := range img.Leases {
		l := &lease{
			Lease: from.Lease, status: from.Status, endedAt: from.EndedAt, charges: from.Charges,
			charged: from.Charged, feePaid: from.FeePaid, acceptedAt: from.AcceptedAt, startedAt: from.StartedAt,
			credited: from.Credited, overseen: from.overseen(),
		}
		s.leases[l.ID] = l
		s.schedule(l.End.Instant(), leaseEnds, uint64(l.ID))
		s.restoreCapacity(l)
	}
	for _, from := range img.Bids {
		b := from.bid()
		if s.productNamed[b.Product] == nil || s.accountNamed[b.Consumer] == nil {
			return fmt.Errorf("state image: %s names what does not exist", b.ID)
		}
		entry, refusal := s.bookBid(b)
		if refusal.Rejected() {
			return fmt.Errorf("state image: %s: %s", b.ID, refusal.Message)
		}
		consumer := s.accountNamed[b.Consumer]
		consumer.bidding += b.hold
		b.session = consumer.session(b.Session)
		s.listBid(b)
		if b.cover != nil {
			s.listCover(b)
		}
		b.ref = s.bookOf(b.Product).RestoreBid(entry)
		s.schedule(bidDeadline(b), bidWindowPasses, uint64(b.ID))
		if b.TimeInForce == corehour.GoodTillTime {
			s.schedule(b.ExpiresAt, bidExpires, uint64(b.ID))
		}
	}
	return s.restoreOversight(img)
}

func (from *bidImage) bid() *bid {
	b := &bid{
		Bid: from.Bid, arrival: from.Arrival, open: from.Open, left: from.Left, leasesLeft: from.LeasesLeft,
		allOrNone: from.AllOrNone, hold: from.Hold, leaseHolds: from.LeaseHolds, cover: from.Cover.cover(),
	}
	for _, piece := range from.Taken {
		b.taken = append(b.taken, orderbook.Span{From: piece.From, To: piece.To})
	}
	return b
}

// restoreCapacity takes a running lease's units out of its offer again. What of
// them lies in the past no longer matters, and a lease that has ended holds
// nothing that is still to come.
func (s *State) restoreCapacity(l *lease) {
	o := s.offers[l.Offer]
	if from := max(l.Start, s.startable()); !l.status.Over() && o != nil && from < l.End {
		s.bookOf(l.Product).RestoreLease(o.ref, l.Units, from, l.End)
	}
}

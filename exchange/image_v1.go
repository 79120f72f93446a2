package exchange

import (
	"fmt"

	"github.com/corehour/corehour"
)

// imageV1 is the image of the first release, from before there were zones,
// splittable bids and amendments. It is only read.
type imageV1 struct {
	_           struct{} `cbor:",toarray"`
	Version     uint8
	Now         corehour.Instant
	Fee         corehour.BasisPoints
	LastOffer   corehour.OfferID
	LastBid     corehour.BidID
	LastLease   corehour.LeaseID
	LastArrival uint64
	Deposited   corehour.Money
	Fees        corehour.Money
	Products    []corehour.Product
	Regions     []corehour.Region
	Orgs        []corehour.OrgID
	Accounts    []accountImage
	Offers      []offerImage
	Bids        []bidImageV1
	Leases      []leaseImage
	Kept        []keptImage
}

type bidImageV1 struct {
	_          struct{} `cbor:",toarray"`
	Bid        corehour.Bid
	Arrival    uint64
	Open       corehour.Units
	LeasesLeft int
	Hold       corehour.Money
	LeaseHolds corehour.Money
}

// decodeImage reads an image of any version.
func decodeImage(encoded []byte) (*image, error) {
	switch version := versionOf(encoded); version {
	case 1:
		var old imageV1
		if err := unmarshal(encoded, &old); err != nil {
			return nil, err
		}
		return old.upgrade(), nil
	case imageVersion:
		img := new(image)
		return img, unmarshal(encoded, img)
	default:
		return nil, fmt.Errorf("it has version %d, this program reads 1 to %d", version, imageVersion)
	}
}

// versionOf looks at the first field of the array that an image is: the array
// has fewer than 24 fields and versions are below 24, so in CBOR both the head
// and the version are one byte.
func versionOf(encoded []byte) int {
	const arrayOf = 0x80
	if len(encoded) < 2 || encoded[0] < arrayOf || encoded[0] >= arrayOf+24 || encoded[1] >= 24 {
		return 0
	}
	return int(encoded[1])
}

// upgrade is what the old image says, in today's words.
func (old *imageV1) upgrade() *image {
	img := &image{
		Version: imageVersion, Now: old.Now, Fee: old.Fee, LastOffer: old.LastOffer, LastBid: old.LastBid,
		LastLease: old.LastLease, LastArrival: old.LastArrival, Deposited: old.Deposited, Fees: old.Fees,
		Products: old.Products, Regions: old.Regions, Orgs: old.Orgs, Accounts: old.Accounts, Offers: old.Offers,
		Leases: old.Leases, Kept: old.Kept,
	}
	for _, b := range old.Bids {
		b.Bid.MaxTakeOrPay = corehour.WholeShare // any share was accepted
		img.Bids = append(img.Bids, bidImage{
			Bid: b.Bid, Arrival: b.Arrival, Open: b.Open, Left: b.Bid.Duration, LeasesLeft: b.LeasesLeft,
			AllOrNone: b.Bid.Units > 1 && b.Bid.MinFill == b.Bid.Units, Hold: b.Hold, LeaseHolds: b.LeaseHolds,
		})
	}
	return img
}

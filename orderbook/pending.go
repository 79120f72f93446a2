package orderbook

import "github.com/corehour/corehour"

func (b *Book) ReduceBid(now corehour.Minute, ref BidRef, units corehour.Units) (Outcome, bool) {
	panic("pending")
}
func (b *Book) ReduceOffer(now corehour.Minute, ref OfferRef, units corehour.Units) bool {
	panic("pending")
}
func (b *Book) AmendOffer(now corehour.Minute, ref OfferRef, o Offer) (OfferRef, Outcome, bool) {
	panic("pending")
}
func (b *Book) Reconsider(now corehour.Minute, zone ZoneIndex, from, to corehour.Minute) Outcome {
	panic("pending")
}
func (b *Book) ChangeRegions(ref BidRef, set RegionSet)              { panic("pending") }
func (b *Book) Quote(now corehour.Minute, bid Bid) []Fill            { panic("pending") }
func (b *Book) Explain(now corehour.Minute, bid Bid) Explanation     { panic("pending") }
func (b *Book) OfferDepth(now corehour.Minute, q DepthQuery) []Level { panic("pending") }
func (b *Book) BidDepth(now corehour.Minute, q DepthQuery) []Level   { panic("pending") }

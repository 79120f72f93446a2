package orderbook

import "github.com/corehour/corehour"

// Capacity can come back while nothing may match: an offer is suspended, or the
// caller has halted trading. The book then keeps count of it, and Offer shows it to
// the resting bids once they may have it.

// Suspend takes an offer out of sale: no bid finds it, and it keeps its arrival,
// its capacity and its leases. A suspended offer is cancelled, reduced or given
// units back like another; it cannot be amended. ok is false where there is no
// such offer.
func (b *Book) Suspend(ref OfferRef) (ok bool) {
	slot, ok := b.supply.at(uint64(ref))
	if !ok || b.suspended[slot] {
		return ok
	}
	b.unindex(slot)
	b.tidySupply()
	b.suspended[slot] = true
	return true
}

// Readmit ends the suspension of an offer. Nothing is matched before Offer is
// called for it, or a bid comes.
func (b *Book) Readmit(ref OfferRef) (ok bool) {
	slot, ok := b.supply.at(uint64(ref))
	if !ok || !b.suspended[slot] {
		return ok
	}
	delete(b.suspended, slot)
	b.index(slot)
	return true
}

// GiveBack is Release without matching.
func (b *Book) GiveBack(now corehour.Minute, ref OfferRef, units corehour.Units, from, to corehour.Minute) {
	b.begin(now)
	slot, ok := b.supply.at(uint64(ref))
	if from = max(from, now); !ok || from >= to {
		return
	}
	b.change(slot, from, to, units)
	b.settle()
}

// Offer gives what an offer has free to resting bids, as if all of it were new.
func (b *Book) Offer(now corehour.Minute, ref OfferRef) Outcome {
	b.begin(now)
	if slot, ok := b.supply.at(uint64(ref)); ok && !b.suspended[slot] {
		t := b.offerTermsOf(b.supply.orders.at(slot))
		b.allot(slot, corehour.Minute(t.from), corehour.Minute(t.to))
		b.settle()
	}
	return b.outcome()
}

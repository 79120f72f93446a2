package exchange

import (
	"slices"

	"github.com/corehour/corehour"
)

// life is what the witness knows of a lease from its events.
type life struct {
	price    corehour.Price   // what the consumer pays per unit-hour
	own      corehour.Price   // the limit of the consumer's own bid
	orgs     []corehour.OrgID // that fail these hours, if this one does
	accepted bool
	started  bool
	suspect  corehour.Instant
	notice   corehour.Minute // announced interruption
	ended    *corehour.LeaseEnded
	credited bool
	disputed bool
	settled  bool
}

func (w *witness) backToBond(consumer, payer corehour.AccountID, amount corehour.Money) {
	if amount != 0 {
		w.funds[consumer].held -= amount
		w.funds[payer].bond += amount
	}
}

func (w *witness) begin(b *watchedBid, l *corehour.Lease) {
	at := &life{price: l.Price, own: b.Limit, orgs: []corehour.OrgID{l.ProviderOrg}}
	if l.CoverOf != 0 {
		failed := w.lives[l.CoverOf]
		at.own, at.orgs = failed.own, append(slices.Clone(failed.orgs), l.ProviderOrg)
	}
	if l.FromBond > 0 {
		at.price = b.Limit
		w.funds[l.Payer].bond -= l.FromBond
		w.funds[l.Consumer].held += l.FromBond
	}
	w.lives[l.ID] = at
}

// checkCover holds a lease of a cover against the lease that failed.
func (w *witness) checkCover(b *watchedBid, l *corehour.Lease) {
	w.t.Helper()
	failed, was := w.lives[l.CoverOf], w.leases[l.CoverOf]
	d := l.End.Sub(l.Start)
	cover := w.lives[l.ID]
	switch {
	case b.CoverOf != l.CoverOf || failed.ended == nil || failed.ended.Status == corehour.StatusCompleted:
		w.t.Fatalf("%s covers %s, which did not fail", l.ID, l.CoverOf)
	case l.Hold-l.FromBond > corehour.Cost(failed.price, l.Units, d) || cover.price > failed.price:
		w.t.Fatalf("%s costs %s less %s from the bond, the consumer's price was %s", l.ID, l.Hold, l.FromBond, failed.price)
	case min(l.Price, failed.price)+corehour.CarbonCost(b.CarbonPrice, l.Carbon) > failed.own:
		w.t.Fatalf("%s emits %s g: at %s that is beyond the consumer's own limit %s", l.ID, l.Carbon, failed.price, failed.own)
	case slices.Contains(failed.orgs, l.ProviderOrg):
		w.t.Fatalf("%s is delivered by %s, which failed it before", l.ID, l.ProviderOrg)
	case l.FromBond > 0 && (l.Payer != was.Provider || failed.ended.Status != corehour.StatusFailed):
		w.t.Fatalf("%s is paid for by %s, %s failed", l.ID, l.Payer, was.Provider)
	case l.Start < max(was.Start, failed.ended.FreeFrom) || l.End > was.End:
		w.t.Fatalf("%s covers hours that %s did not lose", l.ID, l.CoverOf)
	}
	for m := l.Start; m < l.End; m++ {
		units := corehour.Units(0)
		for id, other := range w.leases {
			if other.CoverOf == l.CoverOf && other.Start <= m && m < other.End {
				units += w.leases[id].Units
			}
		}
		if units > was.Units {
			w.t.Fatalf("%s is covered twice at %s", l.CoverOf, m)
		}
	}
}

// seeLife follows what rules and providers do to leases.
func (w *witness) seeLife(e pendingEvent) {
	w.t.Helper()
	switch d := e.data.(type) {
	case corehour.LeaseRules:
		w.rules = d
	case corehour.LeaseChanged:
		l := w.lives[d.Lease]
		if l.ended != nil {
			w.t.Fatalf("%s goes on after its end", d.Lease)
		}
		l.accepted = true
		l.started = e.typ == corehour.EventLeaseStarted
	case corehour.LeaseSuspected:
		w.lives[d.Lease].suspect = e.at
		if e.at-d.LastHeard < w.rules.SuspectAfter.Instant() {
			w.t.Fatalf("%s is suspect after %d us", d.Lease, e.at-d.LastHeard)
		}
	case corehour.LeaseRecovered:
		w.lives[d.Lease].suspect = 0
	case corehour.InterruptionAnnounced:
		w.lives[d.Lease].notice = d.At
		if !w.leases[d.Lease].Interruptible || d.At.Instant() < e.at+w.rules.InterruptionNotice.Instant() {
			w.t.Fatalf("%s is to be interrupted at %s, announced at %s", d.Lease, d.At, e.at)
		}
	case corehour.LeaseEnded:
		w.move(d.Consumer, -d.Released)
		w.backToBond(d.Consumer, d.Payer, d.Returned)
		w.seeEnd(e.at, &d)
	case corehour.SLACredited:
		w.seeCredit(&d)
	case corehour.LeaseDisputed:
		l := w.lives[d.Lease]
		if l.ended == nil || l.settled {
			w.t.Fatalf("%s is disputed while it runs or when it is settled", d.Lease)
		}
		l.disputed = true
	case corehour.DisputeResolved:
		w.lives[d.Lease].disputed = false
		w.funds[d.Provider].bond -= d.Credit
		w.funds[d.Consumer].available += d.Credit
	case corehour.LeaseSettled:
		l := w.lives[d.Lease]
		if l.ended == nil || l.settled || l.disputed {
			w.t.Fatalf("%s is settled before its end, twice, or while it is disputed", d.Lease)
		}
		l.settled = true
	case corehour.ControlChanged:
		w.lost = e.typ == corehour.EventControlLost
	case corehour.BondMoved:
		if e.typ == corehour.EventBondReleased {
			d.Amount = -d.Amount
		}
		w.funds[d.Account].available -= d.Amount
		w.funds[d.Account].bond += d.Amount
	}
	for id, f := range w.funds {
		if f.bond < 0 {
			w.t.Fatalf("the bond of %s fell to %s", id, f.bond)
		}
	}
}

func (w *witness) seeEnd(at corehour.Instant, d *corehour.LeaseEnded) {
	w.t.Helper()
	l, terms := w.lives[d.Lease], w.leases[d.Lease]
	if l.ended != nil {
		w.t.Fatalf("%s ended twice: %s and %s", d.Lease, l.ended.Status, d.Status)
	}
	l.ended = d
	known := map[corehour.EndCause]bool{
		"":                          d.Status == corehour.StatusCompleted && l.started,
		corehour.CauseInterrupted:   d.Status == corehour.StatusInterrupted && l.notice != 0 && d.EndedAt == l.notice.Instant(),
		corehour.CauseNotAccepted:   d.Status == corehour.StatusFailed && !l.accepted && at >= terms.AcceptBy,
		corehour.CauseNotStarted:    d.Status == corehour.StatusFailed && !l.started && (at >= terms.StartBy && terms.StartBy > 0 || at >= terms.End.Instant()),
		corehour.CauseByProvider:    d.Status == corehour.StatusFailed,
		corehour.CauseHeartbeatLost: d.Status == corehour.StatusFailed && !w.lost && l.suspect != 0 && at-l.suspect >= w.rules.FailAfter.Instant(),
	}
	if !known[d.Cause] {
		w.t.Fatalf("%s ended as %s for %q at %s: %+v", d.Lease, d.Status, d.Cause, at, l)
	}
}

func (w *witness) seeCredit(d *corehour.SLACredited) {
	w.t.Helper()
	l, terms := w.lives[d.Lease], w.leases[d.Lease]
	whole := corehour.Cost(terms.Price, terms.Units, terms.End.Sub(terms.Start))
	switch {
	case l.ended == nil || l.ended.Status != corehour.StatusFailed || l.credited:
		w.t.Fatalf("%s is credited twice or did not fail", d.Lease)
	case d.Undelivered > whole || !l.started && d.Undelivered != whole || d.Share != w.rules.Credit(terms.SLA):
		w.t.Fatalf("%s is credited %d bps of %s, it cost %s", d.Lease, d.Share, d.Undelivered, whole)
	case d.Amount != min(d.Undelivered.Share(d.Share), w.funds[d.Provider].bond):
		w.t.Fatalf("%s is credited %s of a bond of %s", d.Lease, d.Amount, w.funds[d.Provider].bond)
	}
	l.credited = true
	w.funds[d.Provider].bond -= d.Amount
	w.funds[d.Consumer].available += d.Amount
}

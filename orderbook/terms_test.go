package orderbook

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/corehour/corehour"
)

// TestTerms_AreThoseOfOrdersAlikeInEverythingElse: an order whose terms are taken
// for those of the last one is matched by them, so no field may be overlooked.
func TestTerms_AreThoseOfOrdersAlikeInEverythingElse(t *testing.T) {
	own := []string{"ID", "Arrival", "Units", "Price", "Limit", "PostOnly", "MaxLeases", "Taken"}
	t.Run("offer", func(t *testing.T) {
		for i := range reflect.TypeFor[Offer]().NumField() {
			b := New(NewGrid())
			first := plainOffer(1, 4)
			first.Carbon.Rate = 7
			b.RestoreOffer(first)
			other := first
			name := change(reflect.ValueOf(&other).Elem(), i)
			if other.Carbon.Zone != NoZone {
				other.Carbon.Energy = 9 // else 0, where the rate was 7
			}
			if same := b.offerTerms.latest().value.are(&other); same != slices.Contains(own, name) {
				t.Errorf("an offer with another %s has the same terms: %t", name, same)
			}
		}
	})
	t.Run("bid", func(t *testing.T) {
		for i := range reflect.TypeFor[Bid]().NumField() {
			b := New(NewGrid())
			first := plainBid(1, 4)
			b.RestoreBid(first)
			other := first
			name := change(reflect.ValueOf(&other).Elem(), i)
			if same := b.bidTerms.latest().value.are(&other); same != slices.Contains(own, name) {
				t.Errorf("a bid with another %s has the same terms: %t", name, same)
			}
		}
	})
}

// change gives a field of a struct another value and returns its name.
func change(v reflect.Value, i int) string {
	field := v.Field(i)
	switch f := field.Addr().Interface().(type) {
	case *RegionSet:
		f.Deny.Set(3)
	case *ProviderSet:
		f.Deny = []ProviderIndex{3}
	case *Carbon:
		f.Zone = 1
	case *[]Span:
		*f = []Span{{1, 2}}
	case *corehour.SLA:
		*f = corehour.SLAPremium
	case *bool:
		*f = !*f
	default:
		if field.CanInt() {
			field.SetInt(field.Int() + 1)
		} else {
			field.SetUint(field.Uint() + 1)
		}
	}
	return v.Type().Field(i).Name
}

// TestTerms_AreForgottenWithTheirLastOrder: a book through which orders of many
// kinds pass does not grow.
func TestTerms_AreForgottenWithTheirLastOrder(t *testing.T) {
	b := New(NewGrid())
	for id := range uint64(3_000) {
		o, bid := plainOffer(2*id+1, 4), plainBid(2*id+2, 4)
		o.To, o.Price = 100+corehour.Minute(id), 60*corehour.Tick
		bid.LatestEnd = 100 + corehour.Minute(id)
		bid.Regions.Deny.Set(RegionIndex(id % 256))
		offer, first, second := b.RestoreOffer(o), b.RestoreBid(bid), b.RestoreBid(bid)
		b.CancelBid(first)
		b.CancelOffer(offer)
		b.CancelBid(second)
	}
	used := 0
	for i := range internedTables {
		used += b.offerTerms.tables[i].used + b.bidTerms.tables[i].used + b.regions.tables[i].used
	}
	if used > 0 {
		t.Errorf("%d terms and sets of regions are kept for orders that are gone", used)
	}
	for name, made := range map[string]uint32{
		"terms of offers": b.offerTerms.values.next, "terms of bids": b.bidTerms.values.next, "regions": b.regions.values.next,
		"levels": b.supply.levels.next + b.demand.levels.next, "lots": b.supply.lots.next + b.demand.lots.next,
	} {
		if made > 20 {
			t.Errorf("%d %s were made for two orders at a time", made, name)
		}
	}
}

// TestInterned_FindsEachValueWhileOthersComeAndGo compares with a map. Values are
// few and tables full, so that most entries stand where others belong.
func TestInterned_FindsEachValueWhileOthersComeAndGo(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	in, want := newInterned[int](), map[int]uint32{}
	users := map[int]int{}
	for range 200_000 {
		v := random.IntN(3_000)
		if i, ok := want[v]; ok && random.IntN(2) == 0 {
			in.give(i)
			if users[v]--; users[v] == 0 {
				delete(want, v)
			}
			continue
		}
		i, fresh := in.take(&v)
		known, ok := want[v]
		if fresh == ok || ok && i != known || *in.at(i) != v {
			t.Fatalf("%d has the number %d (new: %t), want %d", v, i, fresh, known)
		}
		want[v] = i
		users[v]++
	}
	used := 0
	for i := range in.tables {
		used += in.tables[i].used
	}
	if used != len(want) || len(want) < 1_000 {
		t.Errorf("%d values are in the tables, want %d", used, len(want))
	}
}

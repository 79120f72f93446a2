package exchange

import (
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// checkPlaces refuses lists of places that are too long or name what cannot be.
// A country or continent need not have a region yet.
func checkPlaces(b *corehour.Bid) Reply {
	for _, list := range [...]struct {
		field string
		names int
	}{
		{"regions", max(len(b.Regions.Allow), len(b.Regions.Deny))},
		{"countries", max(len(b.Countries.Allow), len(b.Countries.Deny))},
		{"continents", max(len(b.Continents.Allow), len(b.Continents.Deny))},
		{"providers", max(len(b.Providers.Allow), len(b.Providers.Deny))},
	} {
		if list.names > corehour.MaxListed {
			return reject(CodeTooMany, list.field, "a list has at most 256 names")
		}
	}
	for _, names := range [...][]string{b.Countries.Allow, b.Countries.Deny} {
		if slices.ContainsFunc(names, func(name string) bool { return !countryPattern.MatchString(name) }) {
			return reject(CodeOutOfRange, "countries", "a country is two capital letters (ISO 3166-1)")
		}
	}
	for _, names := range [...][]string{b.Continents.Allow, b.Continents.Deny} {
		if slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(corehour.Continents[:], name) }) {
			return reject(CodeOutOfRange, "continents", "not a continent of this exchange")
		}
	}
	return Reply{}
}

func unknownRegion(name corehour.RegionID) Reply {
	return reject(CodeUnknownRegion, "regions", fmt.Sprintf("there is no region %.64q", name))
}

// regionSet resolves where a bid may run among the regions defined so far. A
// region is allowed if any of the bid's lists allows it, or if there is no allow
// list at all, and none of them denies it.
func (s *State) regionSet(b *corehour.Bid) (set orderbook.RegionSet, refusal Reply) {
	set.AllowAll = len(b.Regions.Allow) == 0 && len(b.Countries.Allow) == 0 && len(b.Continents.Allow) == 0
	for _, list := range [...]struct {
		names []corehour.RegionID
		bits  *orderbook.RegionBits
	}{{b.Regions.Allow, &set.Allow}, {b.Regions.Deny, &set.Deny}} {
		for _, name := range list.names {
			i, known := s.regionNamed[name]
			if !known {
				return set, unknownRegion(name)
			}
			list.bits.Set(i)
		}
	}
	for _, list := range [...]struct {
		countries, continents []string
		bits                  *orderbook.RegionBits
	}{{b.Countries.Allow, b.Continents.Allow, &set.Allow}, {b.Countries.Deny, b.Continents.Deny, &set.Deny}} {
		if len(list.countries) == 0 && len(list.continents) == 0 {
			continue
		}
		for i := range s.regions {
			if inAny(&s.regions[i], list.countries, list.continents) {
				list.bits.Set(orderbook.RegionIndex(i))
			}
		}
	}
	return set, Reply{}
}

func inAny(r *corehour.Region, countries, continents []string) bool {
	return slices.Contains(countries, r.Country) || slices.Contains(continents, r.Continent)
}

// extendPlaces lets a new region into the sets of resting bids that name its
// country or continent. It has no offers yet, so nothing can match.
func (s *State) extendPlaces(r corehour.Region) {
	var concerned []corehour.BidID
	for id, b := range s.bids {
		if inAny(&r, b.Countries.Allow, b.Continents.Allow) || inAny(&r, b.Countries.Deny, b.Continents.Deny) {
			concerned = append(concerned, id)
		}
	}
	slices.Sort(concerned)
	for _, id := range concerned {
		b := s.bids[id]
		set, refusal := s.regionSet(&b.Bid)
		if refusal.Rejected() {
			panic("exchange: a region of " + id.String() + " is gone")
		}
		s.bookOf(b.Product).ChangeRegions(b.ref, set)
	}
}

// providerSet resolves names.
func (s *State) providerSet(a corehour.Allowed[corehour.AccountID]) (set orderbook.ProviderSet, refusal Reply) {
	set.AllowAll = len(a.Allow) == 0
	for _, list := range [...]struct {
		names []corehour.AccountID
		into  *[]orderbook.ProviderIndex
	}{{a.Allow, &set.Allow}, {a.Deny, &set.Deny}} {
		for _, name := range list.names {
			found, known := s.accountNamed[name]
			if !known {
				return set, reject(CodeUnknownAccount, "providers", fmt.Sprintf("there is no provider %.64q", name))
			}
			*list.into = append(*list.into, found.index)
		}
		slices.Sort(*list.into)
	}
	return set, Reply{}
}

package api

import (
	"maps"
	"path"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
)

// Patterns of the vocabulary's strings. The types' own readers are what decides;
// the patterns tell a client the same.
const (
	decimal9Pattern = `^-?[0-9]{1,10}(\.[0-9]{1,9})?$`
	decimal6Pattern = `^[0-9]{1,10}(\.[0-9]{1,6})?$`
	decimal3Pattern = `^-?[0-9]{1,10}(\.[0-9]{1,3})?$`
	offerPattern    = `^offer-[1-9][0-9]{0,18}$`
	bidPattern      = `^bid-[1-9][0-9]{0,18}$`
	leasePattern    = `^lease-[1-9][0-9]{0,18}$`
)

// scalarSchemas say how the vocabulary's types look in JSON. huma cannot see it,
// because they are integers that write themselves as strings.
func scalarSchemas() map[reflect.Type]huma.Schema {
	text := func(description, example string) huma.Schema {
		return huma.Schema{Type: huma.TypeString, Description: description, Examples: []any{example}}
	}
	matching := func(pattern, description, example string) huma.Schema {
		s := text(description, example)
		s.Pattern = pattern
		return s
	}
	name := func(description, example string) huma.Schema {
		s := matching(corehour.NamePattern, description, example)
		n := corehour.MaxNameBytes
		s.MaxLength = &n
		return s
	}
	oneOf := func(description string, values ...string) huma.Schema {
		s := text(description, values[0])
		for _, v := range values {
			s.Enum = append(s.Enum, v)
		}
		return s
	}
	time := func(description, example string) huma.Schema {
		s := text(description, example)
		s.Format = "date-time"
		return s
	}
	return map[reflect.Type]huma.Schema{
		reflect.TypeFor[corehour.Money]():       matching(decimal9Pattern, "An amount of the exchange's currency.", "12.50"),
		reflect.TypeFor[corehour.Price]():       matching(decimal9Pattern, "A price per unit-hour in the exchange's currency, on a tick of 0.000001.", "0.0315"),
		reflect.TypeFor[corehour.CarbonPrice](): matching(decimal9Pattern, "A price per tonne of CO2 equivalent in the exchange's currency.", "80.00"),
		reflect.TypeFor[corehour.CarbonRate]():  matching(decimal3Pattern, "Grams of CO2 equivalent per unit-hour.", "3.25"),
		reflect.TypeFor[corehour.Energy]():      matching(decimal3Pattern, "Watt-hours that a unit draws in an hour.", "2.355"),
		reflect.TypeFor[corehour.Intensity]():   matching(decimal3Pattern, "Grams of CO2 equivalent per kilowatt-hour.", "93.50"),
		reflect.TypeFor[corehour.Minute]():      time("A whole UTC minute.", "2026-03-01T12:00:00Z"),
		reflect.TypeFor[corehour.Instant]():     time("A point in time, to the microsecond.", "2026-03-01T12:00:00.5Z"),
		reflect.TypeFor[corehour.OfferID]():     matching(offerPattern, "An offer's number.", "offer-17"),
		reflect.TypeFor[corehour.BidID]():       matching(bidPattern, "A bid's number.", "bid-17"),
		reflect.TypeFor[corehour.LeaseID]():     matching(leasePattern, "A lease's number.", "lease-17"),
		reflect.TypeFor[corehour.AccountID]():   name("An account's name.", "lab-a"),
		reflect.TypeFor[corehour.OrgID]():       name("An organisation's name.", "university"),
		reflect.TypeFor[corehour.ProductID]():   name("A product's name.", "cpu.standard"),
		reflect.TypeFor[corehour.RegionID]():    name("A region's name.", "europe-north1"),
		reflect.TypeFor[corehour.ZoneID]():      name("A grid zone's name.", "FI"),
		reflect.TypeFor[corehour.SessionID]():   name("A session's name.", "desk-1"),
		reflect.TypeFor[corehour.HaltScope](): oneOf("What a halt stops.", string(corehour.HaltExchange), string(corehour.HaltProduct),
			string(corehour.HaltAccount), string(corehour.HaltProvider)),
		reflect.TypeFor[corehour.SLA]():         oneOf("A tier of service, in rising order.", "basic", "standard", "premium"),
		reflect.TypeFor[corehour.TimeInForce](): oneOf("How long a bid stays open.", "gtc", "gtt", "ioc", "fok"),
		reflect.TypeFor[exchange.OrderStatus](): oneOf("Whether an order is still in the book.",
			string(exchange.StatusOpen), string(exchange.StatusClosed)),
		reflect.TypeFor[exchange.Condition](): oneOf("A condition of a bid.",
			string(exchange.ConditionPrice), string(exchange.ConditionCarbon), string(exchange.ConditionRegion),
			string(exchange.ConditionWindow), string(exchange.ConditionSize), string(exchange.ConditionProvider),
			string(exchange.ConditionSLA), string(exchange.ConditionInterruptible), string(exchange.ConditionTakeOrPay)),
		reflect.TypeFor[corehour.LeaseStatus](): oneOf("Where a lease stands in its life.",
			string(corehour.StatusMatched), string(corehour.StatusProvisioning), string(corehour.StatusActive),
			string(corehour.StatusCompleted), string(corehour.StatusFailed), string(corehour.StatusInterrupted),
			string(corehour.StatusDisputed), string(corehour.StatusSettled)),
		reflect.TypeFor[corehour.EndCause](): oneOf("Why a lease failed or was interrupted.",
			string(corehour.CauseNotAccepted), string(corehour.CauseNotStarted), string(corehour.CauseHeartbeatLost),
			string(corehour.CauseByProvider), string(corehour.CauseInterrupted)),
		reflect.TypeFor[corehour.CloseReason](): oneOf("Why an order is no longer open.",
			string(corehour.CloseFilled), string(corehour.CloseCancelled), string(corehour.CloseExpired),
			string(corehour.CloseWindowPassed), string(corehour.CloseUnfilled), string(corehour.CloseMaxLeases),
			string(corehour.CloseSiblingFilled), string(corehour.CloseHalted), string(corehour.CloseSessionEnded)),
		reflect.TypeFor[billing.Period](): matching(`^[0-9]{4}-(0[1-9]|1[0-2])$`, "A UTC calendar month.", "2026-03"),
		reflect.TypeFor[billing.Amount](): matching(`^-?[0-9]+\.[0-9]{2,9}$`, "An amount of the exchange's currency, of any size.", "12.50"),
		reflect.TypeFor[corehour.Code]():  matching(`^[a-z][a-z0-9_]*$`, "A stable, machine-readable code.", "insufficient_funds"),
	}
}

// scalar stands for T where schemas are made.
type scalar[T any] struct{}

// Schema is the scalar's schema; huma calls it.
func (scalar[T]) Schema(huma.Registry) *huma.Schema {
	s := scalarSchemas()[reflect.TypeFor[T]()]
	return &s
}

func alias[T any](r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[scalar[T]]())
}

// newRegistry makes the schemas' registry with the vocabulary in it.
func newRegistry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	alias[corehour.Money](r)
	alias[corehour.Price](r)
	alias[corehour.CarbonPrice](r)
	alias[corehour.CarbonRate](r)
	alias[corehour.Energy](r)
	alias[corehour.Intensity](r)
	alias[corehour.Minute](r)
	alias[corehour.Instant](r)
	alias[corehour.OfferID](r)
	alias[corehour.BidID](r)
	alias[corehour.LeaseID](r)
	alias[corehour.AccountID](r)
	alias[corehour.OrgID](r)
	alias[corehour.ProductID](r)
	alias[corehour.RegionID](r)
	alias[corehour.ZoneID](r)
	alias[corehour.SessionID](r)
	alias[corehour.HaltScope](r)
	alias[corehour.SLA](r)
	alias[corehour.TimeInForce](r)
	alias[exchange.OrderStatus](r)
	alias[exchange.Condition](r)
	alias[corehour.LeaseStatus](r)
	alias[corehour.EndCause](r)
	alias[corehour.CloseReason](r)
	alias[corehour.Code](r)
	alias[billing.Period](r)
	alias[billing.Amount](r)
	// Documents write themselves; these types say how that looks.
	r.RegisterTypeAlias(reflect.TypeFor[billing.Invoice](), reflect.TypeFor[Invoice]())
	r.RegisterTypeAlias(reflect.TypeFor[billing.Statement](), reflect.TypeFor[Statement]())
	return r
}

// finishSchemas corrects what huma assumes: that slices and pointers may be null,
// which ours never are, and that answers will never get another field, which they may.
// requests are the schemas of bodies; those stay closed.
func finishSchemas(r huma.Registry, requests []*huma.Schema) {
	closed := map[string]bool{}
	for _, s := range requests {
		closeOver(r, s, closed)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Map())) {
		s := r.Map()[name]
		for _, property := range s.Properties {
			property.Nullable = false
		}
		if !closed[name] && s.Type == huma.TypeObject {
			s.AdditionalProperties = nil
		}
	}
}

// closeOver notes the names of a schema and of all that it refers to.
func closeOver(r huma.Registry, s *huma.Schema, closed map[string]bool) {
	if s == nil {
		return
	}
	if s.Ref != "" {
		name := path.Base(s.Ref)
		if closed[name] {
			return
		}
		closed[name] = true
		s = r.SchemaFromRef(s.Ref)
	}
	closeOver(r, s.Items, closed)
	for _, property := range s.Properties {
		closeOver(r, property, closed)
	}
}

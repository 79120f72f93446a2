package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// DefineZone is the body of PUT /v1/zones/{zone}.
type DefineZone struct {
	Mean corehour.Intensity `json:"mean_g_per_kwh" doc:"Grams of CO2 equivalent per kilowatt-hour in hours without a value, 0 to 10000." example:"93.50"`
}

func (b *DefineZone) check(c *checker) { c.intensity("mean_g_per_kwh", b.Mean) }

// SetIntensity is the body of PUT /v1/zones/{zone}/intensity.
type SetIntensity struct {
	From   corehour.Minute      `json:"from" doc:"The first hour, on the hour. Hours that are over are passed over; one at least must not be." example:"2026-03-01T12:00:00Z"`
	Values []corehour.Intensity `json:"values_g_per_kwh" minItems:"1" maxItems:"8784" doc:"Grams of CO2 equivalent per kilowatt-hour, 0 to 10000, one value for each hour from there on, at most 8784 hours beyond the present one." example:"[\"93.50\",\"90\"]"`
}

func (b *SetIntensity) check(c *checker) {
	c.hour("from", b.From)
	for i, v := range b.Values {
		if len(c.found) == MaxFieldProblems {
			return
		}
		c.intensity(item("values_g_per_kwh", i), v)
	}
}

// ZoneParam is the input of what is about one grid zone.
type ZoneParam struct {
	Zone corehour.ZoneID `path:"zone" maxLength:"64" doc:"The grid zone's name." example:"FI"`
}

type zoneOutput struct {
	Body corehour.Zone
}

// Intensity is the carbon intensity of a grid zone hour by hour.
type Intensity struct {
	Zone   corehour.ZoneID      `json:"zone"`
	Mean   corehour.Intensity   `json:"mean_g_per_kwh" doc:"What stands for hours without a value."`
	From   corehour.Minute      `json:"from,omitzero" doc:"The first hour that has a value; absent where none has."`
	Values []corehour.Intensity `json:"values_g_per_kwh" doc:"Grams of CO2 equivalent per kilowatt-hour, one value for each hour from there on."`
}

type intensityOutput struct {
	Body Intensity
}

func (s *Server) registerZones() {
	const tag = "zones"
	register(s, operation{
		id: "list-zones", method: http.MethodGet, path: "/v1/zones", tag: tag,
		summary: "List the grid zones", description: "All of them; there are at most 1024.",
	}, func(ctx context.Context, _ Caller, _ *struct{}) (*pageOutput[corehour.Zone], error) {
		items, err := s.config.Exchange.Zones(ctx)
		return wholeList(items, err)
	})
	register(s, operation{
		id: "define-zone", method: http.MethodPut, path: "/v1/zones/{zone}", tag: tag,
		summary: "Define a grid zone",
		description: "Adds a zone or changes its mean intensity, which stands for every hour that has no value. " +
			"Bids that wait for cleaner hours may fill at once where it falls.",
		roles: []Role{RoleOperator},
	}, s.defineZone)
	register(s, operation{
		id: "get-zone", method: http.MethodGet, path: "/v1/zones/{zone}", tag: tag,
		summary: "Read a grid zone",
	}, func(ctx context.Context, _ Caller, in *ZoneParam) (*zoneOutput, error) {
		zone, err := s.zone(ctx, in.Zone)
		return &zoneOutput{Body: zone}, err
	})
	register(s, operation{
		id: "set-intensity", method: http.MethodPut, path: "/v1/zones/{zone}/intensity", tag: tag,
		summary: "Give a grid zone's carbon intensity by the hour",
		description: "Replaces the values of these hours and leaves those of others. " +
			"Leases keep the carbon that they were matched with; bids that wait for cleaner hours may fill at once.",
		roles: []Role{RoleOperator},
	}, s.setIntensity)
	register(s, operation{
		id: "get-intensity", method: http.MethodGet, path: "/v1/zones/{zone}/intensity", tag: tag,
		summary: "Read a grid zone's carbon intensity by the hour", description: "The hours that are known and not over.",
	}, func(ctx context.Context, _ Caller, in *ZoneParam) (*intensityOutput, error) {
		curve, err := s.intensity(ctx, in.Zone)
		return &intensityOutput{Body: curve}, err
	})
}

// zone is one of the zones, of which there are few enough to look through.
func (s *Server) zone(ctx context.Context, id corehour.ZoneID) (corehour.Zone, error) {
	zones, err := s.config.Exchange.Zones(ctx)
	if err != nil {
		return corehour.Zone{}, err
	}
	for _, z := range zones {
		if z.ID == id {
			return z, nil
		}
	}
	return corehour.Zone{}, notFound("zone")
}

func (s *Server) defineZone(ctx context.Context, _ Caller, in *struct {
	ZoneParam
	withBody[DefineZone]
}) (*zoneOutput, error) {
	zone := corehour.Zone{ID: in.Zone, Mean: in.Body.value.Mean}
	reply, err := s.config.Exchange.Submit(ctx, exchange.DefineZone{Zone: zone})
	switch {
	case err != nil:
		return nil, err
	case reply.Rejected():
		p := rejection(&reply)
		if reply.Field == "id" {
			p.Field = "path.zone"
		}
		return nil, p
	}
	return &zoneOutput{Body: zone}, nil
}

func (s *Server) setIntensity(ctx context.Context, _ Caller, in *struct {
	ZoneParam
	withBody[SetIntensity]
}) (*intensityOutput, error) {
	b := &in.Body.value
	reply, err := s.config.Exchange.Submit(ctx, exchange.SetIntensity{Zone: in.Zone, From: b.From, Values: b.Values})
	switch {
	case err != nil:
		return nil, err
	case reply.Code == exchange.CodeUnknownZone:
		return nil, notFound("zone")
	case reply.Rejected():
		return nil, rejection(&reply)
	}
	curve, err := s.intensity(ctx, in.Zone)
	return &intensityOutput{Body: curve}, err
}

func (s *Server) intensity(ctx context.Context, id corehour.ZoneID) (Intensity, error) {
	curve, err := s.config.Exchange.Intensity(ctx, id)
	if err != nil {
		return Intensity{}, hidden(err, "zone")
	}
	i := Intensity{Zone: curve.ID, Mean: curve.Mean, Values: curve.Values}
	if len(i.Values) == 0 {
		i.Values = []corehour.Intensity{}
	} else {
		i.From = curve.From
	}
	return i, nil
}

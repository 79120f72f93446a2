package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// DefineProduct is the body of POST /v1/products.
type DefineProduct struct {
	ID   corehour.ProductID `json:"id" maxLength:"64" doc:"The product's name, forever." example:"cpu.standard"`
	Unit string             `json:"unit" minLength:"1" maxLength:"256" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"What one unit is, in a sentence." example:"1 vCPU of at least 2.4 GHz with 4 GiB of memory"`
}

func (b *DefineProduct) check(c *checker) { c.text("unit", b.Unit) }

// DefineRegion is the body of POST /v1/regions.
type DefineRegion struct {
	ID        corehour.RegionID `json:"id" maxLength:"64" doc:"The region's name, forever." example:"europe-north1"`
	Country   Country           `json:"country" doc:"ISO 3166-1 alpha-2." example:"FI"`
	Continent Continent         `json:"continent" doc:"The continent." example:"europe"`
	Zone      corehour.ZoneID   `json:"zone" maxLength:"64" doc:"The electricity grid zone whose carbon intensity applies." example:"FI"`
}

// Country is an ISO 3166-1 alpha-2 code.
type Country string

const countryPattern = "^[A-Z]{2}$"

// UnmarshalText reads two capital letters.
func (c *Country) UnmarshalText(b []byte) error {
	if len(b) != 2 || b[0] < 'A' || b[0] > 'Z' || b[1] < 'A' || b[1] > 'Z' {
		return errors.New("expected two capital letters")
	}
	*c = Country(b)
	return nil
}

// Schema is two capital letters; huma calls it.
func (Country) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: countryPattern}
}

// Continent is one of corehour.Continents.
type Continent string

// UnmarshalText reads a continent's name.
func (c *Continent) UnmarshalText(b []byte) error {
	if !slices.Contains(corehour.Continents[:], string(b)) {
		return fmt.Errorf("expected one of %s", strings.Join(corehour.Continents[:], ", "))
	}
	*c = Continent(b)
	return nil
}

// Schema lists the continents; huma calls it.
func (Continent) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, name := range corehour.Continents {
		s.Enum = append(s.Enum, name)
	}
	return s
}

func (s *Server) registerCatalogue() {
	const tag = "catalogue"
	register(s, operation{
		id: "list-products", method: http.MethodGet, path: "/v1/products", tag: tag,
		summary: "List the products", description: "All of them; there are at most 256.",
	}, func(ctx context.Context, _ Caller, _ *struct{}) (*pageOutput[corehour.Product], error) {
		items, err := s.config.Exchange.Products(ctx)
		return wholeList(items, err)
	})
	register(s, operation{
		id: "list-regions", method: http.MethodGet, path: "/v1/regions", tag: tag,
		summary: "List the regions", description: "All of them; there are at most 256.",
	}, func(ctx context.Context, _ Caller, _ *struct{}) (*pageOutput[corehour.Region], error) {
		items, err := s.config.Exchange.Regions(ctx)
		return wholeList(items, err)
	})
	register(s, operation{
		id: "define-product", method: http.MethodPost, path: "/v1/products", tag: tag,
		summary: "Define a product", description: "Adds a product or changes its description.",
		roles: []Role{RoleOperator}, status: http.StatusCreated,
	}, func(ctx context.Context, _ Caller, in *withBody[DefineProduct]) (*created[corehour.Product], error) {
		p := corehour.Product{ID: in.Body.value.ID, Unit: in.Body.value.Unit}
		if _, err := s.submit(ctx, exchange.DefineProduct{Product: p}); err != nil {
			return nil, err
		}
		return createdAt("/v1/products", false, p), nil
	})
	register(s, operation{
		id: "define-region", method: http.MethodPost, path: "/v1/regions", tag: tag,
		summary: "Define a region", description: "Adds a region. Its place on earth never changes.",
		roles: []Role{RoleOperator}, status: http.StatusCreated,
	}, func(ctx context.Context, _ Caller, in *withBody[DefineRegion]) (*created[corehour.Region], error) {
		b := &in.Body.value
		r := corehour.Region{ID: b.ID, Country: string(b.Country), Continent: string(b.Continent), Zone: b.Zone}
		if _, err := s.submit(ctx, exchange.DefineRegion{Region: r}); err != nil {
			return nil, err
		}
		return createdAt("/v1/regions", false, r), nil
	})
}

// wholeList is a list that is short enough to have one page.
func wholeList[T any](items []T, err error) (*pageOutput[T], error) {
	if err != nil {
		return nil, err
	}
	return &pageOutput[T]{Body: pageOf(items, 0, nil)}, nil
}

package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

// Media types of the document.
const (
	jsonContentType = "application/json"
	yamlContentType = "application/yaml"
)

const apiDescription = `Corehour is an exchange for compute: providers offer capacity, consumers bid for it, a match is a lease,
what a lease really used is metered, rated and invoiced.

Amounts and prices are decimal strings, times are RFC 3339, identifiers look like bid-17. Every error is a problem
(RFC 9457) whose member code is stable. Lists take limit and after, and give next where there may be more.`

var apiTags = []*huma.Tag{
	{Name: "catalogue", Description: "What is traded, and where it can run."},
	{Name: "accounts", Description: "Accounts and their funds."},
	{Name: "limits", Description: "What bounds an account: its credit and its limits."},
	{Name: "halts", Description: "Kill switches, trading halts and their end."},
	{Name: "sessions", Description: "Orders that are taken back when nobody is there any more."},
	{Name: "offers", Description: "Capacity for sale."},
	{Name: "bids", Description: "Needs for capacity."},
	{Name: "market", Description: "What is offered and sought, by price, region and hour."},
	{Name: "zones", Description: "Electricity grid zones and their carbon intensity."},
	{Name: "leases", Description: "Matches of bids with offers, and their life."},
	{Name: "deliveries", Description: "The leases that a provider has to serve."},
	{Name: "usage", Description: "What leases really used."},
	{Name: "documents", Description: "Invoices and statements."},
	{Name: "ledger", Description: "The double-entry ledger."},
	{Name: "health", Description: "Probes."},
}

// document registers all operations and the document that describes them.
func (s *Server) document() {
	installHumaErrors()
	s.huma = humagin.New(s.engine, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Corehour", Version: s.config.Version, Description: apiDescription,
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "The node that serves this document."}},
			Tags:    apiTags,
			Components: &huma.Components{
				Schemas: s.registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{bearerAuth: {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT",
					Description: "A token that the exchange issued, with an account, an organisation and one role.",
				}},
			},
		},
		Formats:       map[string]huma.Format{jsonContentType: s.format(), "json": s.format()},
		DefaultFormat: jsonContentType,
	})
	s.registerCatalogue()
	s.registerAccounts()
	s.registerLimits()
	s.registerHalts()
	s.registerSessions()
	s.registerOffers()
	s.registerBids()
	s.registerGroups()
	s.registerBatches()
	s.registerAmendments()
	s.registerCancellations()
	s.registerQuotes()
	s.registerMarket()
	s.registerZones()
	s.registerLeases()
	s.registerLeaseRules()
	s.registerLeaseTroubles()
	s.registerBonds()
	s.registerDeliveries()
	s.registerUsage()
	s.registerDocuments()
	s.registerLedger()
	s.registerHealth()
	requests := make([]*huma.Schema, 0, len(s.shapes))
	for t := range s.shapes {
		requests = append(requests, s.registry.Schema(t, true, ""))
	}
	finishSchemas(s.registry, requests)

	s.serveDocument("/openapi.json", jsonContentType, func() ([]byte, error) { return json.Marshal(s.huma.OpenAPI()) })
	s.serveDocument("/openapi.yaml", yamlContentType, s.huma.OpenAPI().YAML)
}

// serveDocument serves a form of the document, which does not change any more
// and is made when it is first asked for.
func (s *Server) serveDocument(path, contentType string, make func() ([]byte, error)) {
	once := sync.OnceValues(make)
	s.engine.GET(path, func(c *gin.Context) {
		document, err := once()
		if err != nil {
			writeProblem(c.Writer, problemOf(s.explain(c.Request.Context(), path, c.Writer.Header().Get(requestIDHeader), err)))
			return
		}
		c.Data(http.StatusOK, contentType, document)
	})
}

// maxPooledBytes keeps the rare large answer from staying in memory.
const maxPooledBytes = 64 << 10

// format reads bodies with our decoder and writes answers from a buffer, so that
// an answer that cannot be written in full is not begun.
func (s *Server) format() huma.Format {
	buffers := &sync.Pool{New: func() any { return new(bytes.Buffer) }}
	return huma.Format{
		Unmarshal: func(data []byte, v any) error {
			body, ok := v.(bodyReader)
			if !ok {
				return fmt.Errorf("api: a body cannot be read into %T", v)
			}
			body.read(data, s.shapes)
			return nil
		},
		Marshal: func(w io.Writer, v any) error {
			b, _ := buffers.Get().(*bytes.Buffer)
			b.Reset()
			defer func() {
				if b.Cap() <= maxPooledBytes {
					buffers.Put(b)
				}
			}()
			e := json.NewEncoder(b)
			e.SetEscapeHTML(false)
			if err := e.Encode(v); err != nil {
				return err
			}
			// Who asked may have gone; nobody is left to tell.
			_, _ = w.Write(b.Bytes())
			return nil
		},
	}
}

package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/billing"
)

// Billing issues and shows invoices and statements.
type Billing interface {
	// IssueInvoices and IssueStatements make the documents of a month that is over,
	// for what stands on none yet, and return those that they made, also beside an
	// error.
	IssueInvoices(ctx context.Context, period billing.Period) ([]billing.Invoice, error)
	IssueStatements(ctx context.Context, period billing.Period) ([]billing.Statement, error)
	Invoices(ctx context.Context, f billing.InvoiceFilter) ([]billing.Invoice, error)
	Statements(ctx context.Context, f billing.StatementFilter) ([]billing.Statement, error)
	Invoice(ctx context.Context, number string) (billing.Invoice, error)
	Statement(ctx context.Context, number string) (billing.Statement, error)
}

const csvContentType = "text/csv; charset=utf-8"

// IssueDocuments is the body of POST /v1/invoices and /v1/statements.
type IssueDocuments struct {
	Period billing.Period `json:"period" doc:"A UTC calendar month that is over." example:"2026-03"`
}

// DocumentsIssued is the answer to it.
type DocumentsIssued struct {
	Period billing.Period `json:"period"`
	Issued int            `json:"issued" minimum:"0" doc:"How many documents were issued now; 0 where all had been before."`
}

// DocumentLine is what the lines of invoices and statements have in common.
type DocumentLine struct {
	Number   int64              `json:"line" doc:"1, 2, 3 ... on the document."`
	Lease    corehour.LeaseID   `json:"lease"`
	Kind     string             `json:"kind" enum:"usage,take_or_pay" doc:"Used CPU-hours, or what an agreed minimum is above the use."`
	Month    billing.Period     `json:"month" doc:"Of the lease-hours; earlier than the document's where a charge came late."`
	Product  corehour.ProductID `json:"product"`
	Region   corehour.RegionID  `json:"region"`
	Units    corehour.Units     `json:"units"`
	Start    corehour.Minute    `json:"start"`
	End      corehour.Minute    `json:"end"`
	Price    corehour.Price     `json:"price"`
	Charges  int64              `json:"charges" doc:"How many charges the line sums."`
	CPU      corehour.CPUTime   `json:"cpu_us" doc:"CPU time in microseconds, exactly."`
	CPUHours string             `json:"cpu_hours" doc:"The same in CPU-hours, rounded down." example:"16.00"`
	CO2e     string             `json:"co2e_kg" doc:"Kilograms of CO2 equivalent." example:"0.052"`
}

// InvoiceLine sums the charges of one lease, kind and month.
type InvoiceLine struct {
	DocumentLine
	Amount corehour.Money `json:"amount"`
}

// StatementLine sums the charges of one lease, kind and month.
type StatementLine struct {
	DocumentLine
	Gross corehour.Money `json:"gross"`
	Fee   corehour.Money `json:"fee"`
	Net   corehour.Money `json:"net" doc:"gross less fee."`
}

// Invoice is what billing.Invoice looks like in JSON.
type Invoice struct {
	Format    int                `json:"format" doc:"The version of this form."`
	Number    string             `json:"number" example:"INV-2026-000017"`
	Period    billing.Period     `json:"period"`
	Consumer  corehour.AccountID `json:"consumer"`
	Org       corehour.OrgID     `json:"org"`
	Name      string             `json:"name"`
	Currency  string             `json:"currency" example:"EUR"`
	IssuedAt  corehour.Instant   `json:"issued_at"`
	LineCount int64              `json:"line_count"`
	CPU       corehour.CPUTime   `json:"cpu_us" doc:"CPU time in microseconds, exactly."`
	CPUHours  string             `json:"cpu_hours" doc:"The same in CPU-hours, rounded down." example:"16.00"`
	CO2e      string             `json:"co2e_kg" doc:"Kilograms of CO2 equivalent." example:"0.052"`
	Total     corehour.Money     `json:"total"`
	Hash      string             `json:"hash,omitempty" doc:"SHA-256 of the canonical JSON, in hex."`
	Lines     []InvoiceLine      `json:"lines,omitempty" doc:"Absent in lists."`
}

// Statement is what billing.Statement looks like in JSON.
type Statement struct {
	Format    int                `json:"format" doc:"The version of this form."`
	Number    string             `json:"number" example:"STM-2026-000017"`
	Period    billing.Period     `json:"period"`
	Provider  corehour.AccountID `json:"provider"`
	Org       corehour.OrgID     `json:"org"`
	Name      string             `json:"name"`
	Currency  string             `json:"currency" example:"EUR"`
	IssuedAt  corehour.Instant   `json:"issued_at"`
	LineCount int64              `json:"line_count"`
	CPU       corehour.CPUTime   `json:"cpu_us" doc:"CPU time in microseconds, exactly."`
	CPUHours  string             `json:"cpu_hours" doc:"The same in CPU-hours, rounded down." example:"16.00"`
	CO2e      string             `json:"co2e_kg" doc:"Kilograms of CO2 equivalent." example:"0.052"`
	Gross     corehour.Money     `json:"gross"`
	Fee       corehour.Money     `json:"fee"`
	Net       corehour.Money     `json:"net"`
	Hash      string             `json:"hash,omitempty" doc:"SHA-256 of the canonical JSON, in hex."`
	Lines     []StatementLine    `json:"lines,omitempty" doc:"Absent in lists."`
}

type documentList struct {
	LimitParam
	Account corehour.AccountID `query:"account" maxLength:"64" doc:"Only documents of this account; providers and consumers may only name their own." example:"lab-a"`
	After   string             `query:"after" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"The last number of the page before." example:"INV-2026-000017"`
}

type documentInput struct {
	Number string `path:"number" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"The document's number." example:"INV-2026-000017"`
	Format string `query:"format" enum:"json,csv" doc:"The form; by the Accept header if not given." example:"csv"`
	Accept string `header:"Accept" hidden:"true"`
}

// wantsCSV is the form that is asked for.
func (in *documentInput) wantsCSV() bool {
	if in.Format != "" {
		return in.Format == "csv"
	}
	return negotiation.SelectQValueFast(in.Accept, []string{jsonContentType, "text/csv"}) == "text/csv"
}

// documentOutput is a document in either form.
type documentOutput struct {
	Body func(huma.Context)
}

// documentResponse documents both forms.
func documentResponse[T any](s *Server) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The document",
		Content: map[string]*huma.MediaType{
			jsonContentType: {Schema: s.registry.Schema(reflect.TypeFor[T](), true, "")},
			"text/csv":      {Schema: &huma.Schema{Type: huma.TypeString, Description: "One row for each line."}},
		},
	}}
}

// documentAnswer writes a document as JSON or CSV. It is written in full before
// the answer begins, so that an error can still be one.
func documentAnswer[T any](in *documentInput, doc T, asJSON, asCSV func(io.Writer, T) error) (*documentOutput, error) {
	write, contentType, suffix := asJSON, jsonContentType, ".json"
	if in.wantsCSV() {
		write, contentType, suffix = asCSV, csvContentType, ".csv"
	}
	var b bytes.Buffer
	if err := write(&b, doc); err != nil {
		return nil, corehour.Internal("api: write document", err)
	}
	return &documentOutput{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", contentType)
		ctx.SetHeader("Content-Disposition", `inline; filename="`+in.Number+suffix+`"`)
		ctx.SetHeader("Vary", "Accept")
		ctx.SetStatus(http.StatusOK)
		// Who asked may have gone; nobody is left to tell.
		_, _ = ctx.BodyWriter().Write(b.Bytes())
	}}, nil
}

func (s *Server) registerDocuments() {
	s.registerInvoices()
	s.registerStatements()
}

const documentsTag = "documents"

func (s *Server) registerInvoices() {
	register(s, operation{
		id: "issue-invoices", method: http.MethodPost, path: "/v1/invoices", tag: documentsTag,
		summary:     "Issue the invoices of a month",
		description: "To every consumer with charges up to the end of that month that stand on no invoice yet. Invoices are final at once; issuing a month again issues what is new, or nothing.",
		roles:       []Role{RoleFinance}, waits: true,
	}, func(ctx context.Context, _ Caller, in *withBody[IssueDocuments]) (*struct{ Body DocumentsIssued }, error) {
		period := in.Body.value.Period
		issued, err := s.config.Billing.IssueInvoices(ctx, period)
		return documentsIssued(period, len(issued), err)
	})
	register(s, operation{
		id: "list-invoices", method: http.MethodGet, path: "/v1/invoices", tag: documentsTag,
		summary: "List invoices", description: "In the order of their numbers, without lines. A consumer sees its own; finance and operator see all.",
		roles: []Role{RoleConsumer, RoleFinance, RoleOperator},
	}, func(ctx context.Context, c Caller, in *documentList) (*pageOutput[billing.Invoice], error) {
		account, err := c.own(in.Account, "query.account")
		if err != nil {
			return nil, err
		}
		items, err := s.config.Billing.Invoices(ctx, billing.InvoiceFilter{Consumer: account, After: in.After, Limit: in.limit()})
		if err != nil {
			return nil, err
		}
		return &pageOutput[billing.Invoice]{Body: pageOf(items, in.limit(), func(i billing.Invoice) string { return i.Number })}, nil
	})
	register(s, operation{
		id: "get-invoice", method: http.MethodGet, path: "/v1/invoices/{number}", tag: documentsTag,
		summary: "Read an invoice", description: "With its lines, as JSON or as CSV. Its consumer reads it, and finance and operator.",
		roles: []Role{RoleConsumer, RoleFinance, RoleOperator}, responses: documentResponse[billing.Invoice](s),
	}, func(ctx context.Context, c Caller, in *documentInput) (*documentOutput, error) {
		doc, err := s.config.Billing.Invoice(ctx, in.Number)
		if err != nil {
			return nil, hidden(err, "invoice")
		}
		if !c.readsAll() && doc.Consumer != c.Account {
			return nil, notFound("invoice")
		}
		return documentAnswer(in, doc, billing.WriteInvoiceJSON, billing.WriteInvoiceCSV)
	})
}

func (s *Server) registerStatements() {
	register(s, operation{
		id: "issue-statements", method: http.MethodPost, path: "/v1/statements", tag: documentsTag,
		summary:     "Issue the statements of a month",
		description: "To every provider with charges up to the end of that month that stand on no statement yet. Statements are final at once; issuing a month again issues what is new, or nothing.",
		roles:       []Role{RoleFinance}, waits: true,
	}, func(ctx context.Context, _ Caller, in *withBody[IssueDocuments]) (*struct{ Body DocumentsIssued }, error) {
		period := in.Body.value.Period
		issued, err := s.config.Billing.IssueStatements(ctx, period)
		return documentsIssued(period, len(issued), err)
	})
	register(s, operation{
		id: "list-statements", method: http.MethodGet, path: "/v1/statements", tag: documentsTag,
		summary: "List statements", description: "In the order of their numbers, without lines. A provider sees its own; finance and operator see all.",
		roles: []Role{RoleProvider, RoleFinance, RoleOperator},
	}, func(ctx context.Context, c Caller, in *documentList) (*pageOutput[billing.Statement], error) {
		account, err := c.own(in.Account, "query.account")
		if err != nil {
			return nil, err
		}
		items, err := s.config.Billing.Statements(ctx, billing.StatementFilter{Provider: account, After: in.After, Limit: in.limit()})
		if err != nil {
			return nil, err
		}
		return &pageOutput[billing.Statement]{Body: pageOf(items, in.limit(), func(i billing.Statement) string { return i.Number })}, nil
	})
	register(s, operation{
		id: "get-statement", method: http.MethodGet, path: "/v1/statements/{number}", tag: documentsTag,
		summary: "Read a statement", description: "With its lines, as JSON or as CSV. Its provider reads it, and finance and operator.",
		roles: []Role{RoleProvider, RoleFinance, RoleOperator}, responses: documentResponse[billing.Statement](s),
	}, func(ctx context.Context, c Caller, in *documentInput) (*documentOutput, error) {
		doc, err := s.config.Billing.Statement(ctx, in.Number)
		if err != nil {
			return nil, hidden(err, "statement")
		}
		if !c.readsAll() && doc.Provider != c.Account {
			return nil, notFound("statement")
		}
		return documentAnswer(in, doc, billing.WriteStatementJSON, billing.WriteStatementCSV)
	})
}

func documentsIssued(period billing.Period, issued int, err error) (*struct{ Body DocumentsIssued }, error) {
	if err != nil {
		return nil, inBody(err)
	}
	return &struct{ Body DocumentsIssued }{Body: DocumentsIssued{Period: period, Issued: issued}}, nil
}

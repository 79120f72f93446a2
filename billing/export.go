package billing

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/corehour/corehour"
)

// exportPage is how many documents, and postings, an export has in memory.
const exportPage = 200

// exportMode lets the service's group read what it exports, and nobody else.
const exportMode = 0o640

// Export writes everything that finance takes away into a folder, which it
// creates: invoices.csv, invoice_lines.csv, statements.csv, statement_lines.csv,
// ledger.csv with every posting, and each document as JSON in invoices/ and
// statements/. All files show one state of the database. Each replaces its
// predecessor at once, when it is complete. The same content gives the same bytes.
func (s *Service) Export(ctx context.Context, dir string) error {
	return s.export(ctx, func(ctx context.Context, q querier) error {
		if err := exportAllDocuments(ctx, q, dir); err != nil {
			return err
		}
		return exportLedgerFile(ctx, q, dir)
	})
}

// ExportDocuments is the part of Export that is about invoices and statements.
func (s *Service) ExportDocuments(ctx context.Context, dir string) error {
	return s.export(ctx, func(ctx context.Context, q querier) error { return exportAllDocuments(ctx, q, dir) })
}

// ExportLedger is the part of Export that is about the ledger.
func (s *Service) ExportLedger(ctx context.Context, dir string) error {
	return s.export(ctx, func(ctx context.Context, q querier) error { return exportLedgerFile(ctx, q, dir) })
}

func (s *Service) export(ctx context.Context, write func(context.Context, querier) error) error {
	if err := s.snapshot(ctx, write); err != nil {
		return corehour.Internal("billing.Export", err)
	}
	return nil
}

func exportAllDocuments(ctx context.Context, q querier, dir string) error {
	if err := exportDocuments(ctx, q, dir, invoiceExport); err != nil {
		return err
	}
	return exportDocuments(ctx, q, dir, statementExport)
}

func exportLedgerFile(ctx context.Context, q querier, dir string) error {
	return writeFile(filepath.Join(dir, "ledger.csv"), func(w io.Writer) error { return exportLedger(ctx, q, w) })
}

// documentExport says how one kind of document is exported.
type documentExport struct {
	side             *side
	heads, lines     string // file names
	headRow, lineRow []string
	write            func(io.Writer, *document) error
	headCells        func(*document) []string
	lineCellsOf      func(*document, func([]string) error) error
}

var invoiceExport = documentExport{
	side: invoiceSide, heads: "invoices.csv", lines: "invoice_lines.csv",
	headRow: invoiceHeader, lineRow: invoiceLineHeader,
	write: func(w io.Writer, d *document) error { return WriteInvoiceJSON(w, d.invoice()) },
	headCells: func(d *document) []string {
		inv := d.invoice()
		return invoiceRow(&inv)
	},
	lineCellsOf: func(d *document, each func([]string) error) error {
		inv := d.invoice()
		for i := range inv.Lines {
			if err := each(invoiceLineRow(&inv, &inv.Lines[i])); err != nil {
				return err
			}
		}
		return nil
	},
}

var statementExport = documentExport{
	side: statementSide, heads: "statements.csv", lines: "statement_lines.csv",
	headRow: statementHeader, lineRow: statementLineHeader,
	write: func(w io.Writer, d *document) error { return WriteStatementJSON(w, d.statement()) },
	headCells: func(d *document) []string {
		stm := d.statement()
		return statementRow(&stm)
	},
	lineCellsOf: func(d *document, each func([]string) error) error {
		stm := d.statement()
		for i := range stm.Lines {
			if err := each(statementLineRow(&stm, &stm.Lines[i])); err != nil {
				return err
			}
		}
		return nil
	},
}

// fileWriters writes files beside the goroutine that reads what goes into them.
type fileWriters struct {
	work sync.WaitGroup
	busy chan struct{} // as many as are being written
	mu   sync.Mutex
	err  error // the first one
}

// maxFileWriters bounds the documents that are held in memory to be written.
const maxFileWriters = 4

// write begins to write a file. It waits while too many are being written, and
// returns the error of an earlier one.
func (f *fileWriters) write(path string, content func(io.Writer) error) error {
	if f.busy == nil {
		f.busy = make(chan struct{}, maxFileWriters)
	}
	f.busy <- struct{}{}
	f.work.Go(func() {
		err := writeFile(path, content)
		<-f.busy
		f.mu.Lock()
		defer f.mu.Unlock()
		f.err = cmp.Or(f.err, err)
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// wait returns when all files are written, with the first error.
func (f *fileWriters) wait() error {
	f.work.Wait()
	return f.err
}

// exportDocuments writes the two CSV files and the JSON files of one kind of
// document, reading each document once.
func exportDocuments(ctx context.Context, q querier, dir string, x documentExport) error {
	folder := filepath.Join(dir, x.side.table)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, x.heads), func(heads io.Writer) error {
		return writeFile(filepath.Join(dir, x.lines), func(lines io.Writer) error {
			headCSV, lineCSV := csv.NewWriter(heads), csv.NewWriter(lines)
			err := errors.Join(headCSV.Write(x.headRow), lineCSV.Write(x.lineRow))
			if err != nil {
				return err
			}
			var files fileWriters
			defer func() { _ = files.wait() }() // also where reading fails
			err = eachDocument(ctx, q, x.side, func(d *document) error {
				if err := headCSV.Write(x.headCells(d)); err != nil {
					return err
				}
				if err := x.lineCellsOf(d, lineCSV.Write); err != nil {
					return err
				}
				return files.write(filepath.Join(folder, d.number+".json"), func(w io.Writer) error { return x.write(w, d) })
			})
			if err = errors.Join(err, files.wait()); err != nil {
				return err
			}
			return errors.Join(flush(headCSV, nil), flush(lineCSV, nil))
		})
	})
}

// eachDocument reads all documents with their lines, one after the other. A
// document is the callee's to keep.
func eachDocument(ctx context.Context, q querier, sd *side, each func(*document) error) error {
	after := ""
	for {
		page, err := readDocuments(ctx, q, sd, "", after, exportPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for i, d := range page {
			if err := readLines(ctx, q, d); err != nil {
				return err
			}
			if err := each(d); err != nil {
				return err
			}
			after = d.number
			page[i] = nil // its lines can go as soon as nobody writes them any more
		}
	}
}

// exportLedger streams all postings in the order of the transactions.
func exportLedger(ctx context.Context, q querier, w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(ledgerHeader); err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx,
		`SELECT t.sequence, t.at, t.type, t.subject, p.line, p.account, p.amount
		 FROM ledger_transactions t JOIN ledger_postings p ON p.sequence = t.sequence
		 ORDER BY t.sequence, p.line`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var sequence, line int64
		var at corehour.Instant
		var typ, subject, account string
		var amount corehour.Money
		if err := rows.Scan(&sequence, &at, &typ, &subject, &line, &account, &amount); err != nil {
			return err
		}
		err := c.Write([]string{
			transactionID(sequence), at.String(), typ, text(subject), integer(line), text(account), amount.String(),
		})
		if err != nil {
			return err
		}
	}
	return flush(c, rows.Err())
}

// writeFile writes a file beside its place and moves it there when it is
// complete, so that nobody ever reads half of it. It does not wait for the disk:
// an export is a copy that can be made again, and a sync for each of thousands of
// documents would take longer than all the rest.
func writeFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// The error of the write is what matters, not that of clearing up.
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	buffered := bufio.NewWriterSize(file, 1<<16)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := file.Chmod(exportMode); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

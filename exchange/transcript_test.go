package exchange

import (
	"encoding"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
)

var rewrite = flag.Bool("rewrite", false, "write what the state machine answers into testdata")

// TestTranscripts runs the rules of the exchange as they stand in testdata: a
// block is commands, a line of dashes, and what the state machine answered.
// After each command the invariants of the state are checked, and the state is
// rebuilt from its image, so that every transcript is a test of snapshots too.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runTranscript(t, string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("the transcript differs (go test ./exchange -run Transcripts -rewrite shows how):\n%s", got)
			}
		})
	}
}

func runTranscript(t *testing.T, text string) string {
	t.Helper()
	m := &machine{t: t, state: NewState()}
	var out strings.Builder
	inAnswer := false
	for line := range strings.Lines(text) {
		switch {
		case line == "----\n":
			inAnswer = true
			out.WriteString(line + m.answer.String())
			m.answer.Reset()
		case inAnswer && line != "\n":
			// the old answer
		case line == "\n" || strings.HasPrefix(line, "#"):
			inAnswer = false
			out.WriteString(line)
		default:
			out.WriteString(line)
			m.run(strings.TrimSuffix(line, "\n"))
		}
	}
	return out.String()
}

// machine is a state machine that is driven by lines of text.
type machine struct {
	t      *testing.T
	state  *State
	now    time.Time
	answer strings.Builder
}

var transcriptCommands = map[string]Command{
	"tick": Tick{}, "product": DefineProduct{}, "region": DefineRegion{}, "fee": SetFee{}, "account": OpenAccount{},
	"deposit": Deposit{}, "payout": PayOut{}, "offer": PlaceOffer{}, "cancel-offer": CancelOffer{}, "bid": PlaceBid{},
	"cancel-bid": CancelBid{}, "accept": AcceptLease{}, "start": StartLease{}, "end": EndLease{}, "charge": PostCharge{},
	"settle": SettleLease{}, "zone": DefineZone{}, "intensity": SetIntensity{}, "group": PlaceBidGroup{},
	"amend-bid": AmendBid{}, "amend-offer": AmendOffer{}, "cancel-all": CancelAll{},
}

func (m *machine) run(line string) {
	m.t.Helper()
	words := strings.Fields(line)
	switch words[0] {
	case "at":
		now, err := time.Parse("2006-01-02T15:04:05Z", words[1])
		if err != nil {
			m.t.Fatalf("%s: %v", line, err)
		}
		m.now = now
		return
	case "funds":
		a := m.state.accountNamed[corehour.AccountID(words[1])]
		fmt.Fprintf(&m.answer, "%s available %s held %s\n", a.id, a.available, a.held)
		return
	}
	if m.ask(words) {
		return
	}
	kind, ok := transcriptCommands[words[0]]
	if !ok {
		m.t.Fatalf("unknown command: %s", line)
	}
	cmd := reflect.New(reflect.TypeOf(kind))
	into := cmd.Elem()
	for _, word := range words[1:] {
		if word == "|" { // the next bid of a group
			bids := cmd.Elem().FieldByName("Bids")
			bids.Set(reflect.Append(bids, reflect.Zero(bids.Type().Elem())))
			into = bids.Index(bids.Len() - 1)
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		if err := assign(into, name, value); err != nil {
			m.t.Fatalf("%s: %v", line, err)
		}
	}
	m.apply(cmd.Elem().Interface().(Command))
}

func (m *machine) apply(cmd Command) {
	m.t.Helper()
	reply := m.state.apply(corehour.InstantOf(m.now), cmd, marshal(cmd))
	m.answer.WriteString(describeReply(&reply))
	for _, e := range m.state.events {
		m.answer.WriteString("  " + describeEvent(e) + "\n")
	}
	checkInvariants(m.t, m.state)
	image := m.state.encode()
	restored, err := decodeState(image)
	if err != nil {
		m.t.Fatalf("the state does not come back from its image: %v", err)
	}
	if string(restored.encode()) != string(image) {
		m.t.Fatal("the state that came back from an image has another image")
	}
	m.state = restored
}

// assign sets a field, or a field of a field, from text.
func assign(v reflect.Value, name, text string) error {
	first, rest, nested := strings.Cut(name, ".")
	f := v.FieldByName(first)
	if !f.IsValid() {
		return fmt.Errorf("no field %s", name)
	}
	if nested {
		return assign(f, rest, text)
	}
	return setTextOf(f, text)
}

func setTextOf(f reflect.Value, text string) error {
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	switch target := f.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	case json.Unmarshaler:
		return target.UnmarshalJSON([]byte(strconv.Quote(text)))
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(text)
	case reflect.Bool:
		f.SetBool(text == "true")
	case reflect.Slice:
		for item := range strings.SplitSeq(text, ",") {
			element := reflect.New(f.Type().Elem()).Elem()
			if err := setTextOf(element, item); err != nil {
				return err
			}
			f.Set(reflect.Append(f, element))
		}
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		f.SetInt(n)
		return err
	}
	return nil
}

func describeReply(r *Reply) string {
	if r.Rejected() {
		return fmt.Sprintf("rejected: %s (%s) %s\n", r.Code, r.Field, r.Message)
	}
	var words []string
	if r.Repeat {
		words = append(words, "repeat:")
	}
	switch {
	case r.Bid != 0:
		words = append(words, r.Bid.String())
	case r.Offer != 0:
		words = append(words, r.Offer.String())
	case r.Lease != 0:
		words = append(words, r.Lease.String())
	default:
		words = append(words, "ok")
	}
	for _, f := range r.Fills {
		words = append(words, fmt.Sprintf("[%s: %d of %s]", f.Lease, f.Units, f.Offer))
	}
	if r.Open > 0 {
		words = append(words, fmt.Sprintf("open %d", r.Open))
	}
	if r.Left > 0 {
		words = append(words, fmt.Sprintf("left %d min", r.Left))
	}
	if r.Closed != "" {
		words = append(words, "closed: "+string(r.Closed))
	}
	if r.Cancelled > 0 {
		words = append(words, fmt.Sprintf("cancelled %d", r.Cancelled))
	}
	if r.More {
		words = append(words, "and more are left")
	}
	lines := strings.Join(words, " ") + "\n"
	for i := range r.Members {
		lines += "- " + describeReply(&r.Members[i])
	}
	return lines
}

func describeEvent(e pendingEvent) string {
	name := strings.TrimSuffix(strings.TrimPrefix(string(e.typ), "exchange."), ".v1")
	return fmt.Sprintf("%s %s %s %s", e.at.Time().Format("02T15:04:05.999999"), name, e.subject, describeData(e.data))
}

func describeData(data any) string {
	switch d := data.(type) {
	case corehour.BidPlaced:
		return fmt.Sprintf("%d units for %d min in %s..%s, hold %s", d.Units, d.Duration, hm(d.EarliestStart), hm(d.LatestEnd), d.Hold)
	case corehour.BidAmended:
		return fmt.Sprintf("%d units in %s..%s at %s, %s open, hold %s, %s more", d.Units, hm(d.EarliestStart), hm(d.LatestEnd),
			d.Limit, describeSought(d.Open, d.Left), d.Hold, d.HoldChange)
	case corehour.BidClosed:
		return fmt.Sprintf("%s, %s open, released %s", d.Reason, describeSought(d.Open, d.Left), d.Released)
	case corehour.OfferAmended:
		return describeData(d.Offer)
	case corehour.IntensitySet:
		return fmt.Sprintf("from %s: %v", hm(d.From), d.Values)
	case corehour.Offer:
		text := fmt.Sprintf("%d units in %s..%s at %s", d.Units, hm(d.From), hm(d.To), d.Price)
		if d.Energy > 0 {
			text += fmt.Sprintf(", %s Wh in %s", d.Energy, d.Zone)
		}
		return text
	case corehour.OfferClosed:
		return string(d.Reason)
	case corehour.LeaseMatched:
		return fmt.Sprintf("%s x %s: %d units in %s..%s at %s, %s g, hold %s, released %s, bid open %s",
			d.Bid, d.Offer, d.Units, hm(d.Start), hm(d.End), d.Price, d.Carbon, d.Hold, d.Released, describeSought(d.BidOpen, d.BidLeft))
	case corehour.LeaseEnded:
		return fmt.Sprintf("%s at %s, free from %s", d.Status, d.EndedAt.Time().Format("02T15:04:05"), hm(d.FreeFrom))
	case corehour.ChargePosted:
		return fmt.Sprintf("%d: %s for %s amount %s fee %s", d.Number, d.Kind, hm(d.Hour), d.Amount, d.Fee)
	case corehour.LeaseSettled:
		return fmt.Sprintf("%d charges, charged %s fee %s released %s", d.Charges, d.Charged, d.Fee, d.Released)
	case corehour.FundsMoved:
		return fmt.Sprintf("%s (%s)", d.Amount, d.Reference)
	case corehour.LeaseChanged:
		return ""
	}
	return fmt.Sprintf("%v", data)
}

func describeSought(open corehour.Units, left corehour.Minutes) string {
	if open == 0 && left == 0 {
		return "0"
	}
	return fmt.Sprintf("%d x %d min", open, left)
}

func hm(m corehour.Minute) string { return m.Time().Format("02T15:04") }

// fataler is a test, or one that rapid drives.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkSought holds what a bid says it seeks against its book, and the pieces of
// a splittable bid against what is left of it.
func checkSought(t fataler, s *State, b *bid) {
	t.Helper()
	open, left, ok := s.bookOf(b.Product).Open(b.ref)
	if !ok || open != b.open || left != b.left {
		t.Fatalf("%s seeks %d x %d min, its book says %d x %d min (%t)", b.ID, b.open, b.left, open, left, ok)
	}
	covered, end := corehour.Minutes(0), corehour.Minute(0)
	for _, piece := range b.taken {
		if piece.From < end || piece.To.Sub(piece.From) < b.MinPiece {
			t.Fatalf("the pieces of %s overlap or are too short: %v", b.ID, b.taken)
		}
		end = piece.To
		covered += piece.To.Sub(piece.From)
	}
	if covered+b.left != b.Duration || b.MinPiece == 0 && covered > 0 {
		t.Fatalf("%s has pieces of %d min and %d left of %d", b.ID, covered, b.left, b.Duration)
	}
}

// checkInvariants are DESIGN's sentences about the state alone.
func checkInvariants(t fataler, s *State) {
	t.Helper()
	held := make(map[corehour.AccountID]corehour.Money)
	for _, b := range s.bids {
		if want := corehour.Cost(b.Limit, b.open, b.left); b.hold != want || b.open < 1 || b.open > b.Units {
			t.Fatalf("%s has %d of %d open for %d min and holds %s, want %s", b.ID, b.open, b.Units, b.left, b.hold, want)
		}
		checkSought(t, s, b)
		held[b.Consumer] += b.hold
	}
	type minute struct {
		offer corehour.OfferID
		at    corehour.Minute
	}
	sold := make(map[minute]corehour.Units)
	for _, l := range s.leases {
		held[l.Consumer] += l.Hold - l.charged
		if l.charged > l.Hold || l.feePaid != l.charged.Share(l.Fee) {
			t.Fatalf("%s was charged %s of %s, fee %s", l.ID, l.charged, l.Hold, l.feePaid)
		}
		o := s.offers[l.Offer]
		if o == nil || l.endedAt != 0 {
			continue
		}
		// The minute that has begun was sold under the terms of then.
		from := max(l.Start, s.startable())
		for m := from; m < min(l.End, from+10_000); m++ {
			if sold[minute{o.ID, m}] += l.Units; sold[minute{o.ID, m}] > o.Units {
				t.Fatalf("%s is oversold at %s", o.ID, m)
			}
		}
	}
	total := s.fees
	for _, a := range s.accounts {
		if a.available < 0 || a.held < 0 || a.held != held[a.id] {
			t.Fatalf("account %s: available %s held %s, its orders and leases may cost %s", a.id, a.available, a.held, held[a.id])
		}
		total += a.available + a.held
	}
	if total != s.deposited {
		t.Fatalf("accounts and fees add up to %s, deposited was %s", total, s.deposited)
	}
}

package exchange

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/corehour/corehour"
)

// ask answers a line of a transcript that is a question; ok is false where it is
// none. A question must leave the state as it was.
func (m *machine) ask(words []string) (ok bool) {
	m.t.Helper()
	before := m.state.Hash()
	v := m.state.asOf(corehour.InstantOf(m.now))
	var refusal Reply
	var answer strings.Builder
	switch words[0] {
	case "quote":
		var q Quote
		q, refusal = v.quote(fields[PlaceBid](m, words))
		answer.WriteString(describeQuote(&q))
	case "explain":
		var e Explanation
		e, refusal = v.explainNew(fields[PlaceBid](m, words))
		answer.WriteString(describeExplanation(&e))
	case "explain-open":
		var e Explanation
		c := fields[CancelBid](m, words)
		e, refusal = v.explainOpen(c.Consumer, c.Bid)
		answer.WriteString(describeExplanation(&e))
	case "depth":
		var d Depth
		d, refusal = v.depth(fields[DepthQuery](m, words))
		fmt.Fprintf(&answer, "%s..%s offers%s bids%s\n", hm(d.From), hm(d.To), describeLevels(d.Offers), describeLevels(d.Bids))
	case "top":
		var top TopOfBook
		top, refusal = v.topOfBook(fields[TopQuery](m, words))
		for _, r := range top.Regions {
			fmt.Fprintf(&answer, "%s offer%s bid%s\n", r.Region, describeLevel(r.Offer), describeLevel(r.Bid))
		}
	case "heat":
		var heat HeatMap
		heat, refusal = v.heatMap(fields[HeatQuery](m, words))
		for _, row := range heat.Rows {
			v.heat(&heat, &row)
			fmt.Fprintf(&answer, "%s from %s", row.Region, hm(heat.From))
			for _, cell := range row.Cells {
				answer.WriteString(describeLevel(cell))
			}
			answer.WriteString("\n")
		}
	default:
		return false
	}
	if refusal.Rejected() {
		answer.Reset()
		answer.WriteString(describeReply(&refusal))
	}
	m.answer.WriteString(answer.String())
	if m.state.Hash() != before {
		m.t.Fatalf("%s changed the state", strings.Join(words, " "))
	}
	checkInvariants(m.t, m.state)
	return true
}

// fields reads the words of a line into a struct.
func fields[T any](m *machine, words []string) (into T) {
	m.t.Helper()
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		if err := assign(reflect.ValueOf(&into).Elem(), name, value); err != nil {
			m.t.Fatalf("%s: %v", strings.Join(words, " "), err)
		}
	}
	return into
}

func describeQuote(q *Quote) string {
	var text strings.Builder
	for _, f := range q.Fills {
		fmt.Fprintf(&text, "%d of %s in %s at %s..%s for %s, %s g; ", f.Units, f.Offer, f.Region, hm(f.Start), hm(f.End), f.Price, f.Carbon)
	}
	if q.Filled {
		text.WriteString("filled")
	} else {
		text.WriteString("open " + describeSought(q.Open, q.Left))
	}
	fmt.Fprintf(&text, ", cost %s of hold %s\n", q.Cost, q.Hold)
	return text.String()
}

func describeExplanation(e *Explanation) string {
	text := describeQuote(&e.Quote)
	for _, c := range e.Changes {
		text += "- " + string(c.Condition)
		switch c.Condition {
		case ConditionPrice:
			text += " " + c.Limit.String()
		case ConditionCarbon:
			text += " " + c.MaxCarbon.String() + " g"
		case ConditionRegion:
			text += " " + string(c.Region)
		case ConditionWindow:
			text += " " + hm(*c.LatestEnd)
		case ConditionSize:
			text += fmt.Sprintf(" %d units", *c.Units)
		case ConditionProvider:
			text += " " + string(c.Provider)
		case ConditionSLA:
			text += " " + c.MinSLA.String()
		case ConditionTakeOrPay:
			text += fmt.Sprintf(" %d bps", *c.MaxTakeOrPay)
		}
		text += "\n"
	}
	return text
}

func describeLevels(levels []Level) string {
	if len(levels) == 0 {
		return " none"
	}
	text := ""
	for i := range levels {
		text += describeLevel(&levels[i])
	}
	return text
}

func describeLevel(l *Level) string {
	if l == nil {
		return " [-]"
	}
	return fmt.Sprintf(" [%d in %d at %s]", l.Units, l.Orders, l.Price)
}

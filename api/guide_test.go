package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// The guide's table of errors has the status that the code gives each code, and
// every code that this package or the exchange can answer with.
func TestGuide_ErrorTableIsThatOfTheCode(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{} // status by code
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9]{3}) \| ([^|]+) \|`).FindAllStringSubmatch(string(b), -1) {
		for _, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			documented[code[1]] = append(documented[code[1]], row[1])
		}
	}
	rejected := map[corehour.Code]int{}
	for _, code := range []corehour.Code{
		exchange.CodeUnknownProduct, exchange.CodeUnknownRegion, exchange.CodeUnknownAccount, exchange.CodeUnknownOffer, exchange.CodeUnknownBid,
		exchange.CodeUnknownLease, exchange.CodeAccountExists, exchange.CodeRegionExists, exchange.CodeKeyReused, exchange.CodeOutOfRange,
		exchange.CodeOffTick, exchange.CodeWindowTooShort, exchange.CodeWindowPassed, exchange.CodeExpired, exchange.CodeInsufficientFunds,
		exchange.CodeTooLarge, exchange.CodeTooMany, exchange.CodeClosed, exchange.CodeWrongStatus, exchange.CodeChargeGap, exchange.CodeChargeTooLarge,
		exchange.CodeUnknownZone, exchange.CodeWouldTrade, exchange.CodeSold, exchange.CodePiecesTaken, exchange.CodeExclusive,
		exchange.CodeOrderUnitsLimit, exchange.CodeOrderNotionalLimit, exchange.CodePriceCollar,
		CodeUnknownField, CodeDuplicateField, CodeMissingField, corehour.CodeInvalid, corehour.CodeTooManyItems,
	} {
		rejected[code] = statusOf(corehour.KindRejected, code)
	}
	for code, status := range codeStatus {
		rejected[code] = status
	}
	for code, status := range map[corehour.Code]int{
		CodeTokenMissing: 401, CodeTokenInvalid: 401, CodeTokenExpired: 401, corehour.CodeForbidden: 403, corehour.CodeNotFound: 404,
		CodeNoRoute: 404, CodeBodyTooLarge: 413, corehour.CodeUnavailable: 503, corehour.CodeInternal: 500,
	} {
		rejected[code] = status
	}
	for code, status := range rejected {
		if !strings.Contains(strings.Join(documented[string(code)], " "), strconv.Itoa(status)) {
			t.Errorf("%s is %d, the guide says %v", code, status, documented[string(code)])
		}
	}
}

// The guide's table of roles is that of the operations.
func TestGuide_RoleTableNamesEveryOperation(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	guide := string(b)
	for _, e := range endpoints() {
		last := e.path[strings.LastIndex(e.path, "/"):]
		if !strings.Contains(guide, "`"+e.path+"`") && !strings.Contains(guide, " "+e.path+"`") && !strings.Contains(guide, "`"+last+"`") {
			t.Errorf("%s %s is not in the guide", e.method, e.path)
		}
	}
}

// The guide's examples are requests that are answered.
func TestGuide_ExamplesAreAnswered(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```http\n([A-Z]+) (\\S+)\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	if len(examples) < 12 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, example := range examples {
		method, target, body := example[1], example[2], strings.TrimSpace(example[3])
		f := newFixture(t)
		f.exchange.reply.Bid, f.exchange.reply.Offer = 1, 1
		var status []int
		answered := false
		for _, who := range []string{"provider", "consumer", "operator"} {
			a := f.ask(t, who, method, target, body)
			status, answered = append(status, a.status), answered || a.status < 300
			if a.status >= 300 && a.status != 403 && a.status != 404 {
				t.Errorf("%s %s as %s: %s", method, target, who, a.body)
			}
		}
		if !answered {
			t.Errorf("%s %s is answered to nobody: %v", method, target, status)
		}
	}
}

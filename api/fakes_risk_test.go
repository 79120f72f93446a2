package api

import (
	"context"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

func (f *fakeExchange) Limits(_ context.Context, id corehour.AccountID) (exchange.LimitsView, error) {
	if id == "nobody" {
		return exchange.LimitsView{}, corehour.Errorf(corehour.KindNotFound, exchange.CodeUnknownAccount, "no account %s", id)
	}
	left := int64(3)
	return exchange.LimitsView{
		Account: id, Own: true, Limits: corehour.Limits{OrderUnits: 10, OrdersPerSecond: 5, SpendPerDay: 20 * corehour.NanoPerUnit},
		Usage: exchange.LimitsUsage{OpenOrders: 2, OrdersLeft: &left, OpenBids: corehour.NanoPerUnit},
	}, nil
}

func (f *fakeExchange) DefaultLimits(context.Context) (corehour.Limits, error) {
	return corehour.Limits{OpenOrders: 200}, nil
}

func (f *fakeExchange) Halts(context.Context) ([]corehour.Halt, error) {
	at := corehour.InstantOf(testTime)
	return []corehour.Halt{
		{Scope: corehour.HaltProduct, Name: "cpu.standard", Reason: "audit", By: office, Operator: true, At: at},
		{Scope: corehour.HaltAccount, Name: string(labA), By: labA, At: at},
		{Scope: corehour.HaltProvider, Name: string(dcNorth), By: dcNorth, At: at},
	}, nil
}

func (f *fakeExchange) Sessions(_ context.Context, id corehour.AccountID) ([]exchange.SessionView, error) {
	f.note(id)
	at := corehour.InstantOf(testTime)
	return []exchange.SessionView{{Account: id, Session: "desk-1", Timeout: 30, OpenedAt: at, EndsAt: at + 30*corehour.MicrosPerSecond, OpenOrders: 2}}, nil
}

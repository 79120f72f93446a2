package api

import (
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/metering"
	"github.com/corehour/corehour/providers"
)

// What cmd wires fits what is asked for here.
var (
	_ Exchange   = (*exchange.Exchange)(nil)
	_ Deliveries = (*providers.Service)(nil)
	_ Metering   = (*metering.Service)(nil)
	_ Billing    = (*billing.Service)(nil)
)

package corehour

// Region is a place where capacity runs.
type Region struct {
	ID RegionID `json:"id"`
	// Country is the ISO 3166-1 alpha-2 code.
	Country string `json:"country"`
	// Continent is one of africa, asia, europe, north-america, oceania, south-america.
	Continent string `json:"continent"`
	// Zone is the electricity grid zone whose carbon intensity applies.
	Zone ZoneID `json:"zone"`
}

// Zone is an electricity grid zone.
type Zone struct {
	ID ZoneID `json:"id"`
	// Mean stands for the intensity of hours that no curve has been given for.
	Mean Intensity `json:"mean_g_per_kwh"`
}

// Product is a class of interchangeable capacity. Each product has its own book.
type Product struct {
	ID ProductID `json:"id"`
	// Unit says in a sentence what one unit is.
	Unit string `json:"unit"`
}

// Limits of the catalogue.
const (
	// MaxRegions bounds the catalogue so that a set of regions is four machine words.
	MaxRegions = 256
	// MaxZones bounds the grid zones of one exchange.
	MaxZones = 1_024
	// MaxCurveHours bounds how many hours of intensity one command may give, and
	// how far ahead of the present hour a curve may reach: 366 days.
	MaxCurveHours = 366 * 24
	// MaxProducts bounds the number of books of one exchange.
	MaxProducts = 256
	// MaxTextBytes bounds descriptions that people read.
	MaxTextBytes = 256
)

// Continents are the values that Region.Continent may take.
var Continents = [...]string{"africa", "asia", "europe", "north-america", "oceania", "south-america"}

package api

import "github.com/corehour/corehour/exchange"

// Limits of a page.
const (
	DefaultPage = 50
	MaxPage     = exchange.MaxPage
)

// LimitParam is embedded in the input of every list. Like the other embedded
// inputs it is exported because huma passes over those that are not.
type LimitParam struct {
	Limit int `query:"limit" minimum:"1" maximum:"500" example:"50" doc:"How many items to return at most; 50 if not given."`
}

func (p *LimitParam) limit() int {
	if p.Limit == 0 {
		return DefaultPage
	}
	return p.Limit
}

// Page is part of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next goes on where the page is full; what follows may be empty.
	Next string `json:"next,omitempty" doc:"Pass it as after to get the next page; absent on the last one." example:"offer-67"`
}

// pageOf makes a page of at most limit items, which name themselves.
func pageOf[T any](items []T, limit int, name func(T) string) Page[T] {
	p := Page[T]{Items: items}
	if p.Items == nil {
		p.Items = []T{}
	}
	if len(items) >= limit && limit > 0 {
		p.Next = name(items[len(items)-1])
	}
	return p
}

// pageOutput is an answer that is a page.
type pageOutput[T any] struct {
	Body Page[T]
}

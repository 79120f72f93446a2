package database

import (
	"strconv"
	"strings"
)

// InList makes what stands between the parentheses of an IN, and the arguments of
// the statement: those that it has already, then one for each item. The last item
// is repeated up to the next power of two, which changes nothing of what is found:
// every text is prepared once and kept, so there must be few of them. Items is
// not empty.
func InList[T any](args []any, items []T, bind func(T) any) (list string, all []any) {
	var b strings.Builder
	for i := range padded(len(items)) {
		if i > 0 {
			b.WriteString(", ")
		}
		args = append(args, bind(items[min(i, len(items)-1)]))
		b.WriteString("$" + strconv.Itoa(len(args)))
	}
	return b.String(), args
}

// PairList is InList for pairs of numbers: what follows VALUES in
// (a, b) IN (VALUES ...).
func PairList[T any](items []T, bind func(T) (first, second int64)) (list string, args []any) {
	var b strings.Builder
	for i := range padded(len(items)) {
		if i > 0 {
			b.WriteString(", ")
		}
		first, second := bind(items[min(i, len(items)-1)])
		args = append(args, first, second)
		// Without the casts PostgreSQL takes the parameters of VALUES for text.
		b.WriteString("(CAST($" + strconv.Itoa(len(args)-1) + " AS BIGINT), CAST($" + strconv.Itoa(len(args)) + " AS BIGINT))")
	}
	return b.String(), args
}

// padded is the least power of two that is not below n.
func padded(n int) int {
	size := 1
	for size < n {
		size *= 2
	}
	return size
}

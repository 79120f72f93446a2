package exchange_test

import (
	"path/filepath"
	"testing"

	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/database"
)

// BenchmarkSubmit is one bid through the log and back: alone, so that each waits
// for its own append, and from 64 clients, who share appends.
func BenchmarkSubmit(b *testing.B) {
	for _, clients := range []int{1, 64} {
		name := map[int]string{1: "alone", 64: "clients=64"}[clients]
		b.Run(name, func(b *testing.B) {
			db, err := database.Open(b.Context(), database.Config{Path: filepath.Join(b.TempDir(), "corehour.db")})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			n := newNode(b, db)
			x := n.open()
			defer n.close()
			market(b, x)
			b.SetParallelism(max(1, clients/2))
			b.ResetTimer()
			if clients == 1 {
				for range b.N {
					submit(b, x, aBid("", 1))
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := x.Submit(b.Context(), exchange.Tick{}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

package providers

import (
	"sync"

	"github.com/corehour/corehour"
)

// waiting are the calls of Wait on this node, by provider. Who is woken looks
// for himself, so a wake too many does no harm.
type waiting struct {
	most int // calls at a time

	mu    sync.Mutex
	calls int
	by    map[corehour.AccountID]map[chan struct{}]struct{}
	// taken are the providers of deliveries whose transaction may not have
	// committed yet.
	taken map[corehour.AccountID]struct{}
}

func newWaiting(most int) *waiting {
	return &waiting{
		most: most, by: make(map[corehour.AccountID]map[chan struct{}]struct{}),
		taken: make(map[corehour.AccountID]struct{}),
	}
}

// join gives a channel that holds at most one wake; false says that there are
// too many.
func (w *waiting) join(provider corehour.AccountID) (woken chan struct{}, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls >= w.most {
		return nil, false
	}
	w.calls++
	woken = make(chan struct{}, 1)
	if w.by[provider] == nil {
		w.by[provider] = make(map[chan struct{}]struct{})
	}
	w.by[provider][woken] = struct{}{}
	return woken, true
}

func (w *waiting) leave(provider corehour.AccountID, woken chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls--
	delete(w.by[provider], woken)
	if len(w.by[provider]) == 0 {
		delete(w.by, provider)
	}
}

// remember notes whom to wake when the transaction has committed. It notes every
// provider, also one that nobody waits for yet: a Wait may begin, and look in
// vain, between this and the commit.
func (w *waiting) remember(providers []corehour.AccountID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, provider := range providers {
		w.taken[provider] = struct{}{}
	}
}

// wake wakes whoever waits for a provider that was remembered.
func (w *waiting) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for provider := range w.taken {
		for woken := range w.by[provider] {
			select {
			case woken <- struct{}{}:
			default: // it has not yet seen the last wake
			}
		}
	}
	clear(w.taken)
}

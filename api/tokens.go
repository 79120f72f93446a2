package api

import (
	"net/http"
	"strings"
	"sync"

	"github.com/corehour/corehour"
)

// maxCachedTokens bounds each of the two generations of verified tokens.
const maxCachedTokens = 4096

// tokenCache remembers tokens whose signature was good. Verifying one costs more
// than all the rest of a request, and a token's signature does not change; its
// times are checked at every use. When a generation is full it becomes the old
// one, so that what is used stays and what is not goes.
type tokenCache struct {
	mu       sync.RWMutex
	young    map[string]*verified
	old      map[string]*verified
	verify   func(token string) (*verified, error)
	capacity int
}

func newTokenCache(capacity int, verify func(string) (*verified, error)) *tokenCache {
	return &tokenCache{young: map[string]*verified{}, verify: verify, capacity: capacity}
}

func (t *tokenCache) get(token string) (*verified, error) {
	t.mu.RLock()
	v, isYoung := t.young[token]
	if !isYoung {
		v = t.old[token]
	}
	t.mu.RUnlock()
	if isYoung {
		return v, nil
	}
	if v == nil {
		var err error
		if v, err = t.verify(token); err != nil {
			return nil, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.young) >= t.capacity {
		t.young, t.old = map[string]*verified{}, t.young
	}
	// The caller's string may be part of a larger buffer of headers.
	t.young[strings.Clone(token)] = v
	return v, nil
}

// authenticate says who is asking.
func (s *Server) authenticate(h http.Header) (Caller, error) {
	given := h["Authorization"]
	switch {
	case len(given) == 0:
		return Caller{}, corehour.Errorf(corehour.KindUnauthenticated, CodeTokenMissing, "a bearer token is required")
	case len(given) > 1:
		return Caller{}, tokenInvalid("there is more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return Caller{}, corehour.Errorf(corehour.KindUnauthenticated, CodeTokenMissing, "the Authorization header holds no bearer token")
	}
	v, err := s.tokens.get(token)
	if err != nil {
		return Caller{}, err
	}
	return v.caller, v.at(s.config.TokenClock.Now())
}

package api

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/corehour/corehour"
)

// forge makes a token with any header and claims, signed with a key or not.
func forge(tb testing.TB, header, claims map[string]any, key ed25519.PrivateKey) string {
	tb.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(header) + "." + part(claims)
	if key == nil {
		return signed + "."
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}

func goodHeader() map[string]any {
	public, _ := testKey(1).Public().(ed25519.PublicKey)
	return map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": KeyID(public)}
}

func goodClaims() map[string]any {
	return map[string]any{
		"iss": "corehour", "aud": "corehour", "sub": "lab-a", "org": "university", "role": "consumer",
		"iat": testTime.Unix(), "nbf": testTime.Unix(), "exp": testTime.Add(time.Hour).Unix(),
	}
}

func changed(m map[string]any, name string, value any) map[string]any {
	if value == nil {
		delete(m, name)
	} else {
		m[name] = value
	}
	return m
}

func TestAuthentication_OnlyGoodTokensPass(t *testing.T) {
	f := newFixture(t)
	own, foreignKey := testKey(1), testKey(9)
	hs256 := func(secret []byte) string {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(goodClaims()))
		token.Header["kid"] = goodHeader()["kid"]
		s, err := token.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	public, _ := own.Public().(ed25519.PublicKey)
	good := forge(t, goodHeader(), goodClaims(), own)
	last := good[len(good)-2]
	claim := func(name string, value any) string {
		return forge(t, goodHeader(), changed(goodClaims(), name, value), own)
	}
	header := func(name string, value any) string {
		return forge(t, changed(goodHeader(), name, value), goodClaims(), own)
	}
	at := func(d time.Duration) int64 { return testTime.Add(d).Unix() }
	for _, c := range []struct {
		name  string
		given []string
		code  corehour.Code // "" where it passes
	}{
		{"good", []string{"Bearer " + good}, ""},
		{"the scheme in small letters", []string{"bearer " + good}, ""},
		{"audience as one of several", []string{"Bearer " + claim("aud", []string{"other", "corehour"})}, ""},
		{"no issue time", []string{"Bearer " + claim("iat", nil)}, ""},
		{"no beginning", []string{"Bearer " + claim("nbf", nil)}, ""},
		{"expired within the leeway", []string{"Bearer " + claim("exp", at(-29*time.Second))}, ""},
		{"beginning within the leeway", []string{"Bearer " + claim("nbf", at(29*time.Second))}, ""},

		{"nothing", nil, CodeTokenMissing},
		{"empty", []string{""}, CodeTokenMissing},
		{"another scheme", []string{"Basic bGFiLWE6eA=="}, CodeTokenMissing},
		{"no scheme", []string{good}, CodeTokenMissing},
		{"two headers", []string{"Bearer " + good, "Bearer " + good}, CodeTokenInvalid},
		{"no token", []string{"Bearer "}, CodeTokenInvalid},
		{"garbage", []string{"Bearer garbage"}, CodeTokenInvalid},
		{"three dots", []string{"Bearer " + good + "."}, CodeTokenInvalid},
		{"a blank in front", []string{"Bearer  " + good}, CodeTokenInvalid},
		{"two tokens", []string{"Bearer " + good + ", Bearer " + good}, CodeTokenInvalid},
		{"too long", []string{"Bearer " + forge(t, goodHeader(), changed(goodClaims(), "x", strings.Repeat("x", MaxTokenBytes)), own)}, CodeTokenInvalid},
		{"cut signature", []string{"Bearer " + good[:len(good)-4]}, CodeTokenInvalid},
		{"changed signature", []string{"Bearer " + good[:len(good)-2] + string(last^1) + good[len(good)-1:]}, CodeTokenInvalid},
		{"changed claims", []string{"Bearer " + strings.Split(good, ".")[0] + "." + strings.Split(claim("role", "operator"), ".")[1] + "." + strings.Split(good, ".")[2]}, CodeTokenInvalid},

		{"alg none", []string{"Bearer " + forge(t, changed(goodHeader(), "alg", "none"), goodClaims(), nil)}, CodeTokenInvalid},
		{"alg none with a signature", []string{"Bearer " + header("alg", "none")}, CodeTokenInvalid},
		{"alg HS256 with the public key", []string{"Bearer " + hs256(public)}, CodeTokenInvalid},
		{"alg Ed25519 by its new name", []string{"Bearer " + header("alg", "Ed25519")}, CodeTokenInvalid},
		{"no alg", []string{"Bearer " + header("alg", nil)}, CodeTokenInvalid},
		{"no key id", []string{"Bearer " + header("kid", nil)}, CodeTokenInvalid},
		{"a key id that is no string", []string{"Bearer " + header("kid", 7)}, CodeTokenInvalid},
		{"another key under our id", []string{"Bearer " + forge(t, goodHeader(), goodClaims(), foreignKey)}, CodeTokenInvalid},
		{"a critical extension", []string{"Bearer " + header("crit", []string{"exp"})}, CodeTokenInvalid},

		{"no end", []string{"Bearer " + claim("exp", nil)}, CodeTokenInvalid},
		{"an end that is no number", []string{"Bearer " + claim("exp", "tomorrow")}, CodeTokenInvalid},
		{"expired", []string{"Bearer " + claim("exp", at(-30*time.Second))}, CodeTokenExpired},
		{"not yet valid", []string{"Bearer " + claim("nbf", at(31*time.Second))}, CodeTokenInvalid},
		{"foreign issuer", []string{"Bearer " + claim("iss", "else")}, CodeTokenInvalid},
		{"no issuer", []string{"Bearer " + claim("iss", nil)}, CodeTokenInvalid},
		{"foreign audience", []string{"Bearer " + claim("aud", "else")}, CodeTokenInvalid},
		{"no audience", []string{"Bearer " + claim("aud", nil)}, CodeTokenInvalid},
		{"no subject", []string{"Bearer " + claim("sub", nil)}, CodeTokenInvalid},
		{"a subject that is no name", []string{"Bearer " + claim("sub", "../lab-a")}, CodeTokenInvalid},
		{"no organisation", []string{"Bearer " + claim("org", nil)}, CodeTokenInvalid},
		{"no role", []string{"Bearer " + claim("role", nil)}, CodeTokenInvalid},
		{"unknown role", []string{"Bearer " + claim("role", "root")}, CodeTokenInvalid},
		{"two roles", []string{"Bearer " + claim("role", []string{"consumer", "operator"})}, CodeTokenInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Twice, because the second answer may come of what was remembered.
			for range 2 {
				a := f.ask(t, "", "GET", "/v1/products", "", func(r *http.Request) { r.Header["Authorization"] = c.given })
				if c.code == "" {
					if a.status != http.StatusOK {
						t.Fatalf("refused: %s", a.body)
					}
					continue
				}
				if a.status != http.StatusUnauthorized || a.problem.Code != c.code {
					t.Fatalf("got %d %s, want 401 %s", a.status, a.problem.Code, c.code)
				}
				challenge := a.header.Get("WWW-Authenticate")
				if !strings.HasPrefix(challenge, `Bearer realm="corehour"`) || strings.Contains(challenge, "invalid_token") == (c.code == CodeTokenMissing) {
					t.Fatalf("WWW-Authenticate: %s", challenge)
				}
			}
		})
	}
}

func TestAuthentication_RememberedTokenStillExpires(t *testing.T) {
	f := newFixture(t)
	if a := f.ask(t, "consumer", "GET", "/v1/products", ""); a.status != 200 {
		t.Fatal(a.body)
	}
	f.clock.set(testTime.Add(time.Hour + TokenLeeway - time.Nanosecond))
	if a := f.ask(t, "consumer", "GET", "/v1/products", ""); a.status != 200 {
		t.Fatal(a.body)
	}
	f.clock.set(testTime.Add(time.Hour + TokenLeeway))
	if a := f.ask(t, "consumer", "GET", "/v1/products", ""); a.problem.Code != CodeTokenExpired {
		t.Fatal(a.body)
	}
}

func TestTokenCache_IsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	verifications := map[string]int{}
	cache := newTokenCache(4, func(token string) (*verified, error) {
		verifications[token]++
		if token == "bad" {
			return nil, errors.New("bad")
		}
		return &verified{}, nil
	})
	for i := range 100 {
		for _, token := range []string{"kept", fmt.Sprint("once-", i), "bad"} {
			if _, err := cache.get(token); (err != nil) != (token == "bad") {
				t.Fatal(token, err)
			}
		}
		if n := len(cache.young) + len(cache.old); n > 8 {
			t.Fatalf("%d tokens are remembered", n)
		}
	}
	if verifications["kept"] != 1 {
		t.Errorf("a token in use was verified %d times", verifications["kept"])
	}
	if verifications["bad"] != 100 {
		t.Errorf("a bad token was verified %d times: it must never be remembered", verifications["bad"])
	}
}

func TestKeys_IssuedTokenIsVerified(t *testing.T) {
	keys, err := NewKeys(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []Role{RoleProvider, RoleConsumer, RoleFinance, RoleOperator} {
		want := Caller{Account: "lab-a", Org: "university", Role: role}
		token, err := keys.IssueToken(want, time.Hour, testTime)
		if err != nil {
			t.Fatal(err)
		}
		got, err := keys.Verify(token, testTime.Add(59*time.Minute))
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := keys.Verify(token, testTime.Add(-time.Minute)); corehour.CodeOf(err) != CodeTokenInvalid {
			t.Errorf("a token from the future: %v", err)
		}
	}
}

func TestKeys_NoTokenForWhatCannotBe(t *testing.T) {
	keys, err := NewKeys(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	good := Caller{Account: "lab-a", Org: "university", Role: RoleConsumer}
	for _, c := range []struct {
		caller Caller
		ttl    time.Duration
		field  string
	}{
		{Caller{Account: "", Org: "university", Role: RoleConsumer}, time.Hour, "account"},
		{Caller{Account: "lab-a", Org: "a b", Role: RoleConsumer}, time.Hour, "org"},
		{Caller{Account: "lab-a", Org: "university", Role: "root"}, time.Hour, "role"},
		{good, 0, "ttl"}, {good, -time.Hour, "ttl"}, {good, MaxTokenTTL + 1, "ttl"},
	} {
		_, err := keys.IssueToken(c.caller, c.ttl, testTime)
		var e *corehour.Error
		if !errors.As(err, &e) || e.Kind != corehour.KindInvalid || e.Field != c.field {
			t.Errorf("%+v for %s: %v", c.caller, c.ttl, err)
		}
	}
}

func TestKeys_RetiredKeyVerifiesAndDoesNotIssue(t *testing.T) {
	former, err := NewKeys(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	c := Caller{Account: "lab-a", Org: "university", Role: RoleConsumer}
	token, err := former.IssueToken(c, time.Hour, testTime)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := testKey(1).Public().(ed25519.PublicKey)
	rotated, err := NewKeys(testKey(2), public)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rotated.Verify(token, testTime); err != nil || got != c {
		t.Errorf("the former key's token: %+v, %v", got, err)
	}
	fresh, err := rotated.IssueToken(c, time.Hour, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := former.Verify(fresh, testTime); corehour.CodeOf(err) != CodeTokenInvalid {
		t.Errorf("the new key's token passes with the former key only: %v", err)
	}
	without, err := NewKeys(testKey(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := without.Verify(token, testTime); corehour.CodeOf(err) != CodeTokenInvalid {
		t.Errorf("a dropped key's token passes: %v", err)
	}
}

// The thumbprint of RFC 8037, appendix A.3.
func TestKeyID_IsTheThumbprintOfTheStandard(t *testing.T) {
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	if got := KeyID(x); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Error(got)
	}
}

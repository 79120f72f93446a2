package api

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/corehour/corehour"
)

// Role is what a token's bearer acts as. A token carries one.
type Role string

// The roles.
const (
	RoleProvider Role = "provider" // sells: offers, deliveries, usage
	RoleConsumer Role = "consumer" // buys: bids
	RoleFinance  Role = "finance"  // moves funds, issues invoices, reads everything
	RoleOperator Role = "operator" // keeps the catalogue and the accounts, reads everything
)

// Valid reports whether the role is one of the four.
func (r Role) Valid() bool {
	return r == RoleProvider || r == RoleConsumer || r == RoleFinance || r == RoleOperator
}

// Caller is who a verified token says is asking.
type Caller struct {
	Account corehour.AccountID
	Org     corehour.OrgID
	Role    Role
}

// Limits and fixed claims of tokens.
const (
	TokenIssuer   = "corehour"
	TokenAudience = "corehour"
	// TokenLeeway forgives clocks of two machines that differ.
	TokenLeeway = 30 * time.Second
	// MaxTokenTTL bounds how long a token may be valid.
	MaxTokenTTL = 366 * 24 * time.Hour
	// MaxTokenBytes bounds what is parsed as a token.
	MaxTokenBytes = 4096
	// MaxVerifyKeys bounds how many keys may verify tokens at a time.
	MaxVerifyKeys = 16
)

// Codes of a token that is refused.
const (
	CodeTokenMissing corehour.Code = "token_missing"
	CodeTokenInvalid corehour.Code = "token_invalid"
	CodeTokenExpired corehour.Code = "token_expired"
)

// Keys issues tokens with one private key and verifies them with that key and
// any number of retired ones. It never changes: rotating keys makes a new Keys.
type Keys struct {
	issuing   ed25519.PrivateKey
	issuingID string // the id of the issuing key
	verify    map[string]ed25519.PublicKey
	parser    *jwt.Parser
}

// NewKeys takes the key that issues tokens and the public keys of former ones
// whose tokens are still good.
func NewKeys(issuing ed25519.PrivateKey, retired ...ed25519.PublicKey) (*Keys, error) {
	if len(issuing) != ed25519.PrivateKeySize {
		return nil, errors.New("api: the token key is not an Ed25519 private key")
	}
	if len(retired) >= MaxVerifyKeys {
		return nil, fmt.Errorf("api: more than %d token keys", MaxVerifyKeys)
	}
	public, _ := issuing.Public().(ed25519.PublicKey)
	k := &Keys{issuing: issuing, issuingID: KeyID(public), verify: map[string]ed25519.PublicKey{KeyID(public): public}}
	for _, key := range retired {
		if len(key) != ed25519.PublicKeySize {
			return nil, errors.New("api: a retired token key is not an Ed25519 public key")
		}
		k.verify[KeyID(key)] = key
	}
	// Times are checked in Verify, against the time that the caller passes; the
	// parser is left to check the algorithm and the signature.
	k.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithoutClaimsValidation(),
		jwt.WithStrictDecoding(),
	)
	return k, nil
}

// KeyID is the RFC 7638 thumbprint of an Ed25519 public key (RFC 8037, appendix
// A.3), so that any tool computes the same.
func KeyID(key ed25519.PublicKey) string {
	jwk := `{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(key) + `"}`
	sum := sha256.Sum256([]byte(jwk))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

type tokenClaims struct {
	Org  corehour.OrgID `json:"org"`
	Role Role           `json:"role"`
	jwt.RegisteredClaims
}

// IssueToken makes a bearer token for the caller, valid from now for ttl.
func (k *Keys) IssueToken(c Caller, ttl time.Duration, now time.Time) (string, error) {
	switch {
	case !corehour.ValidName(c.Account):
		return "", corehour.Invalid("account", "not a name: %.64q", c.Account)
	case !corehour.ValidName(c.Org):
		return "", corehour.Invalid("org", "not a name: %.64q", c.Org)
	case !c.Role.Valid():
		return "", corehour.Invalid("role", "not one of provider, consumer, finance, operator: %.64q", c.Role)
	case ttl < time.Second || ttl > MaxTokenTTL:
		return "", corehour.Invalid("ttl", "not between one second and %s: %s", MaxTokenTTL, ttl)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, tokenClaims{
		Org:  c.Org,
		Role: c.Role,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    TokenIssuer,
			Subject:   string(c.Account),
			Audience:  jwt.ClaimStrings{TokenAudience},
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
		},
	})
	token.Header["kid"] = k.issuingID
	return token.SignedString(k.issuing)
}

// verified is a token whose signature and claims are good; only the time may
// still be against it.
type verified struct {
	caller  Caller
	from    time.Time // zero where the token does not say
	expires time.Time
}

// at checks the token's times.
func (v *verified) at(now time.Time) error {
	if !now.Before(v.expires.Add(TokenLeeway)) {
		return corehour.Errorf(corehour.KindUnauthenticated, CodeTokenExpired,
			"the token expired at %s", v.expires.UTC().Format(time.RFC3339))
	}
	if now.Add(TokenLeeway).Before(v.from) {
		return tokenInvalid("the token is not valid before " + v.from.UTC().Format(time.RFC3339))
	}
	return nil
}

// Verify returns who a token speaks for at a time.
func (k *Keys) Verify(token string, now time.Time) (Caller, error) {
	v, err := k.check(token)
	if err != nil {
		return Caller{}, err
	}
	if err := v.at(now); err != nil {
		return Caller{}, err
	}
	return v.caller, nil
}

// check verifies everything of a token but its times.
func (k *Keys) check(token string) (*verified, error) {
	if len(token) > MaxTokenBytes {
		return nil, tokenInvalid("the token is too long")
	}
	var claims tokenClaims
	parsed, err := k.parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		if _, critical := t.Header["crit"]; critical {
			return nil, errors.New("extensions marked critical are not understood")
		}
		id, _ := t.Header["kid"].(string)
		key, ok := k.verify[id]
		if !ok {
			return nil, errors.New("signed with a key that is not ours")
		}
		return key, nil
	})
	if err != nil || !parsed.Valid {
		return nil, tokenInvalid("the token is malformed or not signed by this exchange")
	}
	audience := false
	for _, a := range claims.Audience {
		audience = audience || a == TokenAudience
	}
	switch {
	case claims.Issuer != TokenIssuer:
		return nil, tokenInvalid("the token's issuer is not " + TokenIssuer)
	case !audience:
		return nil, tokenInvalid("the token's audience is not " + TokenAudience)
	case claims.ExpiresAt == nil:
		return nil, tokenInvalid("the token does not expire")
	case !corehour.ValidName(claims.Subject):
		return nil, tokenInvalid("the token's subject is not an account")
	case !corehour.ValidName(claims.Org):
		return nil, tokenInvalid("the token names no organisation")
	case !claims.Role.Valid():
		return nil, tokenInvalid("the token's role is not known")
	}
	v := &verified{
		caller:  Caller{Account: corehour.AccountID(claims.Subject), Org: claims.Org, Role: claims.Role},
		expires: claims.ExpiresAt.Time,
	}
	if claims.NotBefore != nil {
		v.from = claims.NotBefore.Time
	}
	return v, nil
}

func tokenInvalid(why string) *corehour.Error {
	return corehour.Errorf(corehour.KindUnauthenticated, CodeTokenInvalid, "%s", why)
}

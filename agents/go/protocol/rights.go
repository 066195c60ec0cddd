package protocol

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"net/http"
	"strings"
)

// Rights is what a caller may do. The zero value may do nothing.
type Rights int

// The two rights, each holding the one before.
const (
	MayNothing Rights = iota
	MayRead
	MayChange
)

func (r Rights) names() []string {
	switch r {
	case MayChange:
		return []string{"read", "change"}
	case MayRead:
		return []string{"read"}
	default:
		return []string{}
	}
}

// Token is a bearer token. It keeps a hash only and shows itself as stars.
type Token struct {
	hash  [sha256.Size]byte
	valid bool
}

// NewToken makes a token of a secret. An empty secret lets nobody in.
func NewToken(secret string) Token {
	return Token{hash: sha256.Sum256([]byte(secret)), valid: secret != ""}
}

func (Token) String() string { return "***" }

// GoString keeps the hash out of logs too.
func (Token) GoString() string { return "***" }

// holds compares with every token in constant time.
func holds(tokens []Token, given [sha256.Size]byte) bool {
	found := 0
	for _, token := range tokens {
		equal := subtle.ConstantTimeCompare(token.hash[:], given[:])
		if token.valid {
			found |= equal
		}
	}
	return found == 1
}

func (o *Options) rightsOf(request *http.Request) Rights {
	if o.CertificateRights != nil && request.TLS != nil && len(request.TLS.VerifiedChains) > 0 {
		chain := request.TLS.VerifiedChains[0]
		if len(chain) > 0 {
			if rights := o.CertificateRights(chain[0]); rights != MayNothing {
				return rights
			}
		}
	}
	return o.rightsOfToken(request.Header.Get("Authorization"))
}

func (o *Options) rightsOfToken(header string) Rights {
	scheme, secret, found := strings.Cut(header, " ")
	secret = strings.TrimSpace(secret)
	if !found || secret == "" || !strings.EqualFold(scheme, "bearer") {
		return MayNothing
	}
	given := sha256.Sum256([]byte(secret))
	mayChange, mayRead := holds(o.ChangeTokens, given), holds(o.ReadTokens, given)
	switch {
	case mayChange:
		return MayChange
	case mayRead:
		return MayRead
	default:
		return MayNothing
	}
}

// EverybodyWith gives the same rights to every certificate the host's TLS has verified.
func EverybodyWith(rights Rights) func(*x509.Certificate) Rights {
	return func(*x509.Certificate) Rights { return rights }
}

func notSignedIn() *Refusal {
	text := "A bearer token or a client certificate is needed."
	return refusal(http.StatusUnauthorized, "not-signed-in", text)
}

func notAllowed() *Refusal {
	return refusal(http.StatusForbidden, "not-allowed", "This credential may look, not change.")
}

// Bearer is whether a request carries one of the tokens; for calls of the host's own beside the
// agent's.
func Bearer(request *http.Request, tokens ...Token) bool {
	options := Options{ReadTokens: tokens}
	return options.rightsOfToken(request.Header.Get("Authorization")) == MayRead
}

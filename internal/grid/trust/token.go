package trust

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
)

const (
	tokenPrefix  = "throng1"
	maxToken     = 512 // bytes; a token has about 145
	maxNote      = 200 // bytes
	idLength     = 10
	secretLength = 32 // bytes: 256 bits
)

// Token is what somebody carries to prove a role, and to know the right grid by:
//
//	throng1.<role>.<id>.<secret>.<pin>
//
// It prints, logs and encodes without its secret; only Reveal and Authorize use it.
type Token struct {
	Role Role
	ID   string
	Pin  string // Authority.Pin of its grid
	// secret is a function because fmt looks past the methods of a Token in somebody's private field, and through pointers
	// too; into a function it cannot look. Nil for no secret.
	secret func() []byte
}

// NewToken makes a token and the record that the grid keeps of it, which holds a hash in place of the secret. A life of 0
// never ends. The note is for people: whom the token was given to.
func NewToken(role Role, pin string, now time.Time, life time.Duration, note string) (Token, cluster.Token, error) {
	if !slices.Contains(tokenRoles(), role) {
		return Token{}, cluster.Token{}, fmt.Errorf("a token has the role operator, viewer or join, not %.20q", role)
	}
	if !pinned.MatchString(pin) {
		return Token{}, cluster.Token{}, errors.New("a token needs the pin of its grid's authority")
	}
	if life < 0 || len(note) > maxNote {
		return Token{}, cluster.Token{}, fmt.Errorf("a token's life is not below zero, and its note has at most %d bytes", maxNote)
	}
	secret := make([]byte, secretLength)
	_, _ = rand.Read(secret) // never fails, by its contract
	t := Token{Role: role, ID: newID(), Pin: pin, secret: func() []byte { return secret }}
	rec := cluster.Token{ID: t.ID, Role: string(role), Hash: t.hash(), Created: now.UTC(), Note: note}
	if life > 0 {
		rec.Expires = now.UTC().Add(life)
	}
	return t, rec, nil
}

func newID() string { return strings.ToLower(rand.Text()[:idLength]) }

var (
	pinned   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	tokenID  = regexp.MustCompile(`^[a-z2-7]{10}$`)
	alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

// ParseToken reads a token. Its errors are of kind fault.InvalidConfig and show nothing of the text.
func ParseToken(text string) (Token, error) {
	t, err := parseToken(strings.TrimSpace(text))
	if err != nil {
		return Token{}, fault.WithHint(fault.InvalidConfig, err, "a token is one line that begins with "+tokenPrefix+". and is made by throng grid token create")
	}
	return t, nil
}

func parseToken(text string) (Token, error) {
	parts := strings.Split(text, ".")
	switch {
	case text == "":
		return Token{}, errors.New("the token is empty")
	case len(text) > maxToken:
		return Token{}, errors.New("the token is too long: this is not a token of throng")
	case parts[0] != tokenPrefix:
		return Token{}, errors.New("this is not a token of throng")
	case len(parts) != 5:
		return Token{}, errors.New("the token is not whole: it needs five parts with dots between them")
	case !slices.Contains(tokenRoles(), Role(parts[1])):
		return Token{}, errors.New("the token has a role that this version does not know")
	case !tokenID.MatchString(parts[2]):
		return Token{}, errors.New("the token is damaged in its id, the third part")
	case !pinned.MatchString(parts[4]):
		return Token{}, errors.New("the token is damaged in its pin, the last part")
	}
	secret, err := alphabet.DecodeString(parts[3])
	if err != nil || len(secret) != secretLength || alphabet.EncodeToString(secret) != parts[3] { // one text for one secret
		return Token{}, errors.New("the token is damaged in its secret, the fourth part")
	}
	return Token{Role: Role(parts[1]), ID: parts[2], Pin: parts[4], secret: func() []byte { return secret }}, nil
}

// Reveal is the token's whole text: for the file or the terminal of whoever it was made for.
func (t Token) Reveal() string {
	if t.secret == nil {
		return ""
	}
	return strings.Join([]string{tokenPrefix, string(t.Role), t.ID, alphabet.EncodeToString(t.secret()), t.Pin}, ".")
}

// Authorize puts the token into a request's header.
func (t Token) Authorize(h http.Header) { h.Set("Authorization", "Bearer "+t.Reveal()) }

func (t Token) hash() string {
	if t.secret == nil {
		return ""
	}
	sum := sha256.Sum256(t.secret())
	return hex.EncodeToString(sum[:])
}

// String names the token and hides its secret, as Format, LogValue and MarshalJSON do.
func (t Token) String() string { return fmt.Sprintf("%s token %s", t.Role, t.ID) }

// Format is String for every verb, %#v and %x too.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue is String for package slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalJSON is String for encoding/json. There is no way back: a token travels by Reveal.
func (t Token) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// Verify returns nil if the token is the one that the record was made for and is good at now. Its errors are one sentence
// each, and ErrUnauthenticated. What became of a token is told only to those who know its secret.
func Verify(rec cluster.Token, t Token, now time.Time) error {
	right := subtle.ConstantTimeCompare([]byte(rec.Hash), []byte(t.hash())) == 1
	switch {
	case rec.ID == "" || rec.ID != t.ID:
		return unknownToken(t.ID)
	case t.secret == nil || !right:
		return unauthenticated("the token %s has a wrong secret", t.ID)
	case !rec.Revoked.IsZero():
		return unauthenticated("the token %s was revoked at %s", t.ID, stamp(rec.Revoked))
	case !rec.Expires.IsZero() && !now.Before(rec.Expires):
		return unauthenticated("the token %s expired at %s", t.ID, stamp(rec.Expires))
	case Role(rec.Role) != t.Role:
		return unauthenticated("the token %s says %s, and was made for role %s", t.ID, t.Role, rec.Role)
	}
	return nil
}

func unknownToken(id string) error {
	return unauthenticated("the token %s is not known to this grid: it was deleted, or is of another one", id)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

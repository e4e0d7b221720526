package k6http

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/go-ntlmssp"

	"throng/internal/load/httpc"
)

// authorized sends one hop with what its credentials demand: basic ones go along, digest (RFC 7616) and NTLM answer the
// server's challenge on another exchange.
func (k *carrier) authorized(q *call, h *hop, r *response) error {
	who := h.target.url.User
	switch q.auth {
	case "digest":
		return k.digest(q, h, r)
	case "ntlm":
		return k.ntlm(q, h, r)
	}
	if who != nil && !hasField(h.header, "Authorization") {
		password, _ := who.Password()
		token := base64.StdEncoding.EncodeToString([]byte(who.Username() + ":" + password))
		send := *h
		send.changed = true
		send.header = withField(h.header, "Authorization", "Basic "+token)
		return k.exchange(q, &send, r)
	}
	return k.exchange(q, h, r)
}

func hasField(fields []httpc.Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}

// withField returns a copy with one value for name; the hop's own list is kept for the next hop.
func withField(fields []httpc.Field, name, value string) []httpc.Field {
	out := make([]httpc.Field, len(fields), len(fields)+1)
	copy(out, fields)
	return setField(out, name, value)
}

// credentials are those of the URL the script gave, as long as the hop goes to the same host.
func credentials(q *call, h *hop) (user, password string) {
	who := h.target.url.User
	if who == nil && q.login != nil && h.target.url.Host == q.target.url.Host {
		who = q.login
	}
	if who == nil {
		return "", ""
	}
	password, _ = who.Password()
	return who.Username(), password
}

// splitLogin takes user and password out of a URL that digest authentication is used with: neither the URL that scripts
// see nor the tags hold them.
func (q *call) splitLogin() {
	if q.auth != "digest" || q.target.url.User == nil {
		return
	}
	q.login = q.target.url.User
	clean := *q.target.url
	clean.User = nil
	q.target = targetOf(&clean)
}

func (k *carrier) digest(q *call, h *hop, r *response) error {
	ask := *h
	ask.login = true
	if err := k.exchange(q, &ask, r); err != nil || r.status() != http.StatusUnauthorized {
		return err
	}
	ch, ok := parseChallenge(r.wire.Header.Values("Www-Authenticate"))
	if !ok {
		return nil
	}
	user, password := credentials(q, h)
	answer := *h
	answer.changed = true
	answer.header = withField(h.header, "Authorization", ch.answer(user, password, h.method, requestURI(h.target.url), h.body, nonce()))
	return k.exchange(q, &answer, r)
}

func requestURI(u *url.URL) string { return u.RequestURI() }

func nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// challenge is what a server demands by WWW-Authenticate: Digest.
type challenge struct {
	realm, nonce, opaque, qop, algorithm string
	hashUser                             bool
}

func parseChallenge(lines []string) (challenge, bool) {
	for _, line := range lines {
		scheme, rest, _ := strings.Cut(line, " ")
		if !strings.EqualFold(scheme, "Digest") {
			continue
		}
		c, p := challenge{}, parameters(rest)
		c.realm, c.nonce, c.opaque, c.algorithm = p["realm"], p["nonce"], p["opaque"], p["algorithm"]
		c.hashUser = strings.EqualFold(p["userhash"], "true")
		for _, offer := range strings.Split(p["qop"], ",") {
			switch offer = strings.TrimSpace(offer); {
			case strings.EqualFold(offer, "auth"):
				c.qop = "auth"
			case strings.EqualFold(offer, "auth-int") && c.qop == "":
				c.qop = "auth-int"
			}
		}
		return c, c.hasher() != nil
	}
	return challenge{}, false
}

// parameters splits name=value and name="quoted, value" pairs; names are in lower case.
func parameters(s string) map[string]string {
	out := map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t,")
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return out
		}
		name, rest = strings.ToLower(strings.TrimSpace(name)), strings.TrimLeft(rest, " \t")
		var value strings.Builder
		if strings.HasPrefix(rest, `"`) {
			i := 1
			for ; i < len(rest) && rest[i] != '"'; i++ {
				if rest[i] == '\\' && i+1 < len(rest) {
					i++
				}
				value.WriteByte(rest[i])
			}
			s = rest[min(i+1, len(rest)):]
		} else {
			token, after, _ := strings.Cut(rest, ",")
			value.WriteString(strings.TrimSpace(token))
			s = after
		}
		out[name] = value.String()
	}
}

func (c challenge) hasher() func() hash.Hash {
	switch strings.TrimSuffix(strings.ToUpper(c.algorithm), "-SESS") {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	case "SHA-512-256":
		return sha512.New512_256
	}
	return nil
}

// answer is the header Authorization for one request (RFC 7616, 3.4).
func (c challenge) answer(user, password, method, uri string, body []byte, cnonce string) string {
	sum := func(parts ...string) string {
		h := c.hasher()()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	const nc = "00000001"
	a1 := sum(user, c.realm, password)
	if strings.HasSuffix(strings.ToUpper(c.algorithm), "-SESS") {
		a1 = sum(a1, c.nonce, cnonce)
	}
	a2 := sum(method, uri)
	if c.qop == "auth-int" {
		a2 = sum(method, uri, sum(string(body)))
	}
	shown := user
	if c.hashUser {
		shown = sum(user, c.realm)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username=%q, realm=%q, nonce=%q, uri=%q`, shown, c.realm, c.nonce, uri)
	if c.qop == "" {
		fmt.Fprintf(&b, `, response="%s"`, sum(a1, c.nonce, a2))
	} else {
		fmt.Fprintf(&b, `, response="%s", qop=%s, nc=%s, cnonce="%s"`, sum(a1, c.nonce, nc, cnonce, c.qop, a2), c.qop, nc, cnonce)
	}
	if c.algorithm != "" {
		fmt.Fprintf(&b, ", algorithm=%s", c.algorithm)
	}
	if c.opaque != "" {
		fmt.Fprintf(&b, ", opaque=%q", c.opaque)
	}
	if c.hashUser {
		b.WriteString(", userhash=true")
	}
	return b.String()
}

// ntlm answers with NTLMv2 over one kept connection: ask, negotiate, authenticate ([MS-NLMP]).
func (k *carrier) ntlm(q *call, h *hop, r *response) error {
	ask := *h
	ask.login = true
	if err := k.exchange(q, &ask, r); err != nil || r.status() != http.StatusUnauthorized {
		return err
	}
	scheme, ok := ntlmScheme(r.wire.Header.Values("Www-Authenticate"))
	if !ok {
		return nil
	}
	user, password := credentials(q, h)
	name, domain, domainNeeded := ntlmssp.GetDomain(user)
	message, err := ntlmssp.NewNegotiateMessage(domain, "")
	if err != nil {
		return k.failed(r, h, err)
	}
	say := func(message []byte) error {
		next := *h
		next.changed = true
		next.header = withField(h.header, "Authorization", scheme+" "+base64.StdEncoding.EncodeToString(message))
		return k.exchange(q, &next, r)
	}
	if err := say(message); err != nil || r.status() != http.StatusUnauthorized {
		return err
	}
	theirs := ntlmToken(r.wire.Header.Values("Www-Authenticate"), scheme)
	if len(theirs) == 0 {
		return nil
	}
	if message, err = ntlmssp.ProcessChallenge(theirs, name, password, domainNeeded); err != nil {
		return k.failed(r, h, err)
	}
	return say(message)
}

func ntlmScheme(lines []string) (string, bool) {
	for _, want := range []string{"NTLM", "Negotiate"} {
		for _, line := range lines {
			if scheme, _, _ := strings.Cut(line, " "); strings.EqualFold(scheme, want) {
				return want, true
			}
		}
	}
	return "", false
}

func ntlmToken(lines []string, scheme string) []byte {
	for _, line := range lines {
		if s, token, ok := strings.Cut(line, " "); ok && strings.EqualFold(s, scheme) {
			b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
			if err == nil {
				return b
			}
		}
	}
	return nil
}

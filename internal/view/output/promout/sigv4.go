package promout

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signer signs requests by AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests").
type signer struct{ region, service, access, secret string }

// signed are the headers that a signature covers, in order.
var signed = [...]string{"content-type", "host", "x-amz-date"} // never changed

// sign adds the headers X-Amz-Date and Authorization.
func (s *signer) sign(req *http.Request, body []byte, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	day := stamp[:8]
	req.Header.Set("X-Amz-Date", stamp)
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	var canonical strings.Builder
	canonical.WriteString(req.Method + "\n" + escaped(orRoot(req.URL.EscapedPath()), "/") + "\n" + sortedQuery(req.URL.Query()) + "\n")
	for _, name := range signed {
		value := host
		if name != "host" {
			value = strings.Join(strings.Fields(req.Header.Get(name)), " ")
		}
		canonical.WriteString(name + ":" + value + "\n")
	}
	names := strings.Join(signed[:], ";")
	canonical.WriteString("\n" + names + "\n" + digest(body))
	scope := day + "/" + s.region + "/" + s.service + "/aws4_request"
	text := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + digest([]byte(canonical.String()))
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{day, s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.access+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(mac(key, text)))
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func sortedQuery(query url.Values) string {
	var pairs []string
	for key, values := range query {
		for _, v := range values {
			pairs = append(pairs, escaped(key, "")+"="+escaped(v, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escaped is s with every byte as %XX but letters, digits, -, ., _, ~ and those of but.
func escaped(s, but string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~"+but, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

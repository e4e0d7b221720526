package k6http

import (
	"strings"
	"testing"
)

// The examples of RFC 7616, 3.9.1, and of RFC 2617, 3.5.
func TestDigestExamplesOfTheRFCs(t *testing.T) {
	for _, tt := range []struct{ name, challenge, user, password, cnonce, want string }{
		{"RFC 2617", `Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"Mufasa", "Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1"},
		{"RFC 7616 SHA-256", `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"RFC 7616 MD5", `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
	} {
		c, ok := parseChallenge([]string{`Basic realm="x"`, tt.challenge})
		if !ok {
			t.Errorf("%s: not understood", tt.name)
			continue
		}
		if got := c.answer(tt.user, tt.password, "GET", "/dir/index.html", nil, tt.cnonce); !strings.Contains(got, `response="`+tt.want+`"`) {
			t.Errorf("%s: %s\nwant response %s", tt.name, got, tt.want)
		}
	}
}

func FuzzParameters(f *testing.F) {
	f.Add(`realm="a \"b\", c", nonce=x,qop="auth"`)
	f.Add(`a="`)
	f.Add(`=,=`)
	f.Fuzz(func(t *testing.T, s string) { parameters(s) })
}

package k6crypto

import (
	"strings"
	"testing"

	"throng/internal/load/k6/scopetest"
)

func TestDigestLeavesTheHashAlone(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	got := r.Run(`const h = createHash("sha1"); h.update("a"); const early = h.digest("hex"); h.update(new Uint8Array([98]));
		[early === sha1("a", "hex"), h.digest("hex") === sha1("ab", "hex"), h.digest("base64") === sha1("ab", "base64")]`)
	if got != "[true,true,true]" {
		t.Errorf("step by step: %s", got)
	}
}

func TestKnownDigests(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	for src, want := range map[string]string{
		`md5("", "hex")`:                             `"d41d8cd98f00b204e9800998ecf8427e"`,
		`md4("", "hex")`:                             `"31d6cfe0d16ae931b73c59d7e0c089c0"`,
		`ripemd160("", "hex")`:                       `"9c1185a5c5e9fc54612808977ee8f548b2258d31"`,
		`hmac("md5", "k", "d", "binary").byteLength`: `16`,
		`createHMAC("sha256", "k").digest("hex") === hmac("sha256", "k", "", "hex")`: `true`,
		`hexEncode(new Uint8Array([0, 255]))`:                                        `"00ff"`,
		`randomBytes(5).byteLength`:                                                  `5`,
	} {
		if got := r.Run(src); got != want {
			t.Errorf("%s = %s, want %s", src, got, want)
		}
	}
}

func TestWrongInputIsRefused(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	for src, want := range map[string]string{
		`md5(5, "hex")`:                 "md5 failed: invalid type int64",
		`md5("x")`:                      "invalid output encoding: ",
		`md5("x", "base32")`:            "invalid output encoding: base32",
		`hmac("sha3", "k", "d", "hex")`: "invalid algorithm: sha3",
		`createHash()`:                  "invalid algorithm: ",
		`randomBytes(0)`:                "invalid size",
	} {
		if got := r.Run(src); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}

package k6encoding

import (
	"strings"
	"testing"

	"throng/internal/load/k6/scopetest"
)

func TestRoundTrip(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	got := r.Run(`["std", "rawstd", "url", "rawurl", undefined].every((k) => [0, 1, 2, 3, 40].every((n) => {
		const u = Uint8Array.from({ length: n }, (x, i) => (i * 37 + n) & 255);
		return String(new Uint8Array(b64decode(b64encode(u.buffer, k), k))) === String(u) && b64encode(u, k) === b64encode(u.buffer, k);
	}))`)
	if got != "true" {
		t.Errorf("round trip: %s", got)
	}
	if got := r.Run(`[b64encode("é>"), b64encode("é>", "rawurl"), b64decode("w6k", "rawstd", "s")]`); got != `["w6k+","w6k-","é"]` {
		t.Errorf("known values: %s", got)
	}
}

func TestWrongInputIsRefused(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	for src, want := range map[string]string{
		`b64encode(12)`:           "invalid type int64, expected string, []byte or ArrayBuffer",
		`b64encode()`:             "invalid type <nil>",
		`b64decode("not base64")`: "illegal base64 data at input byte 3",
	} {
		if got := r.Run(src); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}

package js

import (
	"strings"
	"testing"
)

func TestHugeStringsAreRefusedAndSmallOnesUntouched(t *testing.T) {
	t.Parallel()
	b, err := run(t, files{"a.js": `
		const attempt = (f) => { try { return f(); } catch (e) { return String(e); } };
		log(attempt(() => 'x'.repeat(1e11)));
		log(attempt(() => 'x'.padEnd(2 ** 40, 'y')));
		log(attempt(() => ''.repeat(-1)));
		log('ab'.repeat(3), 'x'.padStart(3, '-'), '[' + 'x'.padEnd(3) + ']', ''.repeat(1e11).length, 'x'.repeat('2'));
		export default function () {}`}, "a.js", false)
	if err != nil {
		t.Fatal(err)
	}
	want := "RangeError: Invalid string length|RangeError: Invalid string length|RangeError: Invalid count value|ababab --x [x  ] 0 xx"
	if got := strings.Join(b.out, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

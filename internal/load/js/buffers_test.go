package js

import (
	"strings"
	"testing"
)

func TestHugeBuffersAreRefusedAndOthersUntouched(t *testing.T) {
	t.Parallel()
	b, err := run(t, files{"a.js": `
		const attempt = (f) => { try { return f(); } catch (e) { return String(e); } };
		log(attempt(() => new ArrayBuffer(1e12)));
		log(attempt(() => new Float64Array(1e9)));
		log(attempt(() => new ArrayBuffer(-1)));
		class Own extends Float64Array { sum() { return this.reduce((a, b) => a + b, 0); } }
		const n = 3, a = new Float64Array([1, 2, n]), own = Own.from([1, 2]), more = new Float64Array((() => a.buffer)(), 8);
		log(a.length, a instanceof Float64Array, a.constructor === Float64Array, Float64Array.name, Float64Array.length, Float64Array.BYTES_PER_ELEMENT);
		log(own.sum(), own instanceof Own, own instanceof Float64Array, own.slice(1) instanceof Own, more.join(), a.slice(1).join(), Float64Array.of(4)[0]);
		log(ArrayBuffer.isView(a), a.buffer instanceof ArrayBuffer, a.buffer.slice(8).byteLength, new ArrayBuffer(n).byteLength, new ArrayBuffer('2').byteLength);
		log(Object.getPrototypeOf(Own) === Float64Array, Reflect.construct(Float64Array, [n]).length, Object.keys(a).join(), JSON.stringify(a));
		export default function () {}`}, "a.js", false)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"RangeError: Array buffer allocation failed", "RangeError: Array buffer allocation failed",
		"RangeError: ", "3 true true Float64Array 3 8", "3 true true true 2,3 2,3 4",
		"true true 16 3 2", `true 3 0,1,2 {"0":1,"1":2,"2":3}`,
	}
	for i, w := range want {
		if i >= len(b.out) || !strings.HasPrefix(b.out[i], w) {
			t.Fatalf("line %d of\n%s\nwant %s", i, strings.Join(b.out, "\n"), w)
		}
	}
}

package js

import (
	"slices"
	"testing"
)

func TestPropertiesNamedLiterallyAreFound(t *testing.T) {
	sources := files{
		"main.js": `import './lib.js'; import data from './typed.ts';
			const { A, B: here, C = 'x', 'D-D': d, ...rest } = __ENV;
			let e; ({ E: e } = __ENV);
			export default function () { const {} = __ENV; return __ENV.F + __ENV['G'] + __ENV["H"] + __ENV[` + "`I`" + `] + __ENV?.J + globalThis.__ENV.K + ('L' in __ENV); }
			// __ENV.COMMENT
			const s = "__ENV.TEXT", other = __ENV; other.ALIAS; __ENV[computed()]; notENV.X; x.__ENV.Y; ({ P } = { P: 1 });
			function computed() { return 'COMPUTED' }
			var computedVar;`,
		"lib.js":     `module.exports = { m: __ENV.M || 'none', deep: () => (() => { for (const { N } = __ENV; ; ) { return N } }) }`,
		"typed.ts":   `const who: string = (__ENV as any).O; export default who`,
		"unused.js":  `__ENV.UNUSED`,
		"data.json":  `{"x": "__ENV.DATA"}`,
		"another.js": `export const x = __ENV.Z`,
	}
	p, err := Compile(Source{fileURL("main.js"), []byte(sources["main.js"])}, sources, CompileOptions{IsNative: isNative})
	if err != nil {
		t.Fatal(err)
	}
	p.Seal()
	got, err := p.Properties("__ENV")
	want := []string{"A", "B", "C", "D-D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v\nwant %q", got, err, want)
	}
}

package js
import ("testing";"fmt")
func TestTmp(t *testing.T) {
	for i, src := range []string{
		"import.meta.resolve('./x')", // not esm by syntax
		"export default () => import('k6').catch((e) => log('c', e))",
		"class A { constructor(a){} } class B extends A { f = () => this; constructor(x) { super(x) } } log(new B(1).f() instanceof B); export default 1",
		"class A { static x = 1 } class B extends A { static y = super.x } log(B.y); export default 1",
		"export default () => { const p = new Proxy(function(){}, {construct(t, a) { new Array(1,2,3).map((x)=>x); return {n: a.length, a0: a[0]} }}); log(JSON.stringify(new p(1,2))) }",
		"export * as ns from './self.js'; export const a = 1; log(2)",
		"import def, * as all from './m.js'; export default 1; log(Object.keys(all))",
		"export { nope }",
		"export const a = 1; export {a}",
		"import {x} from './m.js'; export {x}",
		"export * from './m.js'; log(3)",
		"@dec class A {}; export default 1",
		"export default () => { new Array(4294967295).fill(0) }",
		"export default () => { let f = (n) => [1].map(() => f(n+1)); f(0) }",
		"export default () => { let o = {}; o.toJSON = () => JSON.stringify(o); JSON.stringify(o) }",
		"export default () => { let o = {toString() { return '' + o }}; '' + o }",
		"export default () => { let p = {}; for (let i = 0; i < 3e5; i++) p = new Proxy(p, {}); p.x }",
		"export default () => { let p = []; for (let i = 0; i < 3e5; i++) p = [p]; JSON.stringify(p) }",
		"export default () => { let p = []; for (let i = 0; i < 3e5; i++) p = [p]; String(p); p.flat(Infinity) }",
		"export default () => { /(a+)+$/.test('a'.repeat(30) + 'b') }",
	} {
		b, err := run(t, files{"m.js": src, "self.js": "export const z = 1"}, "m.js", false)
		d := Describe(err); if len(d) > 200 { d = d[:200] }
		fmt.Println(i, b.out, d)
	}
}

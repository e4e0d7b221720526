// --compatibility-mode base: modern syntax, modules and require as ever, but no global called global.
import { check } from 'k6';
const encoding = require('k6/encoding');

export default function () {
  console.log(typeof global, typeof globalThis, typeof require, encoding.b64encode('a'), [1, [2]].flat().length, { ...{ a: 1 } }.a ?? 2);
  check(1, { 'optional chaining': () => undefined?.x === undefined });
}

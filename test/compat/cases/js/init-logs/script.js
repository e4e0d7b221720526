// How often top-level code runs: for the options, for each virtual user, and once at the end, for a handleSummary that is not there.
import './said.js';

console.log('script', __VU);

export const options = { scenarios: { one: { executor: 'per-vu-iterations', vus: 1 } } };

export default function () { console.log('iteration', __VU); }
export function teardown() { console.log('teardown', __VU); }

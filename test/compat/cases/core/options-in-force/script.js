// The exported options object is completed with the options in force, in every virtual user; top-level code still sees it as written.
export const options = { vus: 5, iterations: 1, own: { x: 1 }, tags: { from: 'script' } };

const written = JSON.stringify([options.vus, options.tags, options.systemTags === undefined]);
const show = (where) => console.log(where, written, JSON.stringify([options.vus, options.iterations, options.own, options.tags, options.noSetup]), [...options.summaryTrendStats].join(' '));

export function setup() { show('setup'); }
export default function () { show('iteration'); }
export function teardown() { show('teardown'); }
export function handleSummary() { show('handleSummary'); return {}; }

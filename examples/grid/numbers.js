// What is unique over a whole grid: the number of an iteration and the number of a VU. Every thing is bought twice, and no two
// iterations buy the same, whichever nodes they are on.
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';
import { SharedArray } from 'k6/data';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

const things = new SharedArray('things', () => JSON.parse(open('../things.json')));

export const options = {
  scenarios: { buy: { executor: 'shared-iterations', vus: 6, iterations: 2 * things.length } },
  thresholds: { checks: ['rate==1'] },
};

// Once for the whole grid, on one of its nodes.
export function setup() {
  return { order: Date.now() };
}

export default function ({ order }) {
  const n = exec.scenario.iterationInTest; // 0, 1, 2, ... each once
  exec.vu.metrics.tags.node = __ENV.HOSTNAME; // the name of the node: thresholds and outputs can tell nodes apart
  const res = http.post(`${BASE}/anything/buy`, JSON.stringify({ order, thing: things[n % things.length].name }));
  check(res, { bought: (r) => r.status === 200 });
  console.log(`iteration ${n}: VU ${exec.vu.idInTest} on ${__ENV.HOSTNAME}`);
}

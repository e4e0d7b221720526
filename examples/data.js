// Test data from a file: read once, shared by all virtual users.
import http from 'k6/http';
import { check } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const things = new SharedArray('things', () => JSON.parse(open('./things.json')));

export const options = { vus: 3, iterations: 30 };

export default function () {
  // iterationInTest counts through the whole test, so every thing is used equally often.
  const thing = things[exec.scenario.iterationInTest % things.length];
  const res = http.post(`${BASE}/anything/${thing.name}`, JSON.stringify(thing), { headers: { 'Content-Type': 'application/json' } });
  check(res, { 'it came back': (r) => r.json('json.price') === thing.price });
}

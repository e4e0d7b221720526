// Items of a shared queue, each of which must reach one virtual user, and a shared counter that knows how many there were.
import http from 'k6/http';
import { sleep } from 'k6';
import { counter, queue } from 'throng/grid';

export const options = { scenarios: { s: { executor: 'constant-vus', vus: 6, duration: __ENV.DURATION || '40s', gracefulStop: '10s' } } };

const items = queue('items');
const taken = counter('taken');

export function setup() {
  for (let i = 0; i < 5000; i += 100) items.push(...Array.from({ length: 100 }, (_, k) => i + k));
}

export default function () {
  const i = items.pop();
  taken.add();
  http.get(`${__ENV.SERVER}/mark?run=${__ENV.RUN}&i=${i}&node=${__ENV.HOSTNAME || ''}`);
  sleep(0.2);
}

export function teardown() {
  console.log(`taken: ${taken.value()}`);
}

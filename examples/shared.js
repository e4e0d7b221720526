// What virtual users share, on one machine or over a whole grid: a value made once, a common start, a count, a queue.
import http from 'k6/http';
import { check, sleep } from 'k6';
import { once, barrier, counter, queue } from 'throng/grid';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = {
  scenarios: {
    sellers: { executor: 'per-vu-iterations', vus: 3, iterations: 5, exec: 'sell' },
    buyers: { executor: 'per-vu-iterations', vus: 2, iterations: 10, exec: 'buy' },
  },
};

const orders = queue('orders');
const bought = counter('bought');

// One login for all, whoever comes first; the others wait for it.
function token() {
  return once('token', () => {
    const res = http.post(`${BASE}/login`, JSON.stringify({ user: 'ada', password: 'lovelace' }), {
      headers: { 'Content-Type': 'application/json' },
    });
    return res.json('token');
  });
}

export function sell() {
  const headers = { Authorization: `Bearer ${token()}` };
  if (__ITER === 0) barrier('all sellers are logged in');
  const res = http.get(`${BASE}/me`, { headers });
  check(res, { 'logged in': (r) => r.status === 200 });
  orders.push({ number: counter('orders').add(), seller: __VU });
}

export function buy() {
  const order = orders.pop();
  if (order === null) {
    sleep(0.05);
    return;
  }
  const res = http.post(`${BASE}/anything/order`, JSON.stringify(order), { headers: { 'Content-Type': 'application/json' } });
  check(res, { 'the order came back': (r) => r.json('json.number') === order.number });
  bought.add();
}

export function teardown() {
  const rest = counter('orders').value() - bought.value();
  console.log(`${bought.value()} orders were bought, ${rest} are left`);
}

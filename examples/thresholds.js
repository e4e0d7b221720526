// Thresholds turn a test into a verdict: if one is crossed, the exit code is 99. `abortOnFail` ends the run at once.
import http from 'k6/http';
import { check } from 'k6';
import { Counter, Rate } from 'k6/metrics';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const sold = new Counter('things_sold');
const soldOut = new Rate('sold_out');

export const options = {
  vus: 4, iterations: 200,
  thresholds: {
    http_req_duration: ['p(95)<500', { threshold: 'max<5000', abortOnFail: true, delayAbortEval: '1s' }],
    'http_req_duration{name:buy}': ['med<300'], // only the requests tagged so
    http_req_failed: ['rate<0.5'],
    things_sold: ['count>10'],
    sold_out: ['rate<0.5'],
  },
};

export default function () {
  const res = http.post(`${BASE}/flaky?rate=0.2&status=409`, null, { tags: { name: 'buy' } });
  check(res, { 'an answer': (r) => r.status === 200 || r.status === 409 });
  soldOut.add(res.status === 409);
  if (res.status === 200) sold.add(1);
}

// A steady rate for eight seconds: long enough to kill a node and to see the others take its part over.
import http from 'k6/http';
import { check } from 'k6';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = {
  scenarios: { steady: { executor: 'constant-arrival-rate', rate: 60, timeUnit: '1s', duration: '8s', preAllocatedVUs: 12 } },
  thresholds: { checks: ['rate==1'] },
};

export default function () {
  check(http.get(`${BASE}/json`), { 'status is 200': (r) => r.status === 200 });
}

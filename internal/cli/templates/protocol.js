import http from 'k6/http';
import { check, group } from 'k6';

// Where the test is aimed; another place:  throng run -e BASE_URL=https://staging.example.com script.js
const BASE_URL = __ENV.BASE_URL || 'http://localhost:8080';

export const options = {
  scenarios: {
    // Users who arrive at a given rate, however slowly they are served.
    visitors: {
      executor: 'ramping-arrival-rate',
      startRate: 1,
      stages: [
        { duration: '30s', target: 20 },
        { duration: '1m', target: 20 },
      ],
      preAllocatedVUs: 20,
      maxVUs: 100,
    },
  },
  thresholds: {
    http_req_failed: ['rate<0.01'],
    http_req_duration: ['p(95)<500'],
  },
};

// Runs once before the load; what it returns is given to every iteration.
export function setup() {
  const res = http.get(`${BASE_URL}/`);
  if (res.status === 0) throw new Error(`${BASE_URL} does not answer: ${res.error}`);
  return { started: new Date().toISOString() };
}

export default function () {
  group('front page', () => {
    const res = http.get(`${BASE_URL}/`);
    check(res, { 'status is 200': (r) => r.status === 200 });
  });
  group('search', () => {
    const res = http.post(`${BASE_URL}/search`, JSON.stringify({ q: `item ${__ITER}` }), {
      headers: { 'Content-Type': 'application/json' },
      tags: { name: 'search' },
    });
    check(res, { 'answered': (r) => r.status < 500 });
  });
}

// Runs once after the load.
export function teardown(data) {
  console.log(`started at ${data.started}`);
}

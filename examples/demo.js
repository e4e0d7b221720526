// A first test: two kinds of visitors, one server, five seconds.
//
// `throng demo` runs it against a server of its own. To run it against yours, keep the shape and change the addresses:
//   throng run -e BASE_URL=http://127.0.0.1:8080 demo.js
import http from 'k6/http';
import { check, group, sleep } from 'k6';
import { Trend } from 'k6/metrics';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

// A metric of our own: how long it takes from opening the shop to being logged in. `true` says that it is a time.
const welcome = new Trend('time_to_welcome', true);

export const options = {
  scenarios: {
    // Ten visitors at most, who come one after the other and wait for answers: a closed model.
    visitors: {
      executor: 'ramping-vus', exec: 'visit', startVUs: 1, gracefulStop: '1s',
      stages: [{ duration: '2s', target: 10 }, { duration: '3s', target: 10 }],
    },
    // Twenty requests a second, whatever the answers take: an open model.
    probes: {
      executor: 'constant-arrival-rate', exec: 'probe', rate: 20, timeUnit: '1s', duration: '5s',
      preAllocatedVUs: 5, maxVUs: 20, gracefulStop: '1s',
    },
  },
  // What must hold for the run to pass. If one does not, the exit code is 99.
  thresholds: {
    http_req_duration: ['p(95)<1000'],
    'http_req_failed{scenario:visitors}': ['rate<0.01'],
    checks: ['rate>0.9'],
    time_to_welcome: ['med<1000'],
  },
};

export function visit() {
  const began = Date.now();
  group('open the shop', () => {
    const res = http.get(`${BASE}/json`);
    check(res, {
      'the list is there': (r) => r.status === 200,
      'three things to carry': (r) => r.json('items.#') === 3,
    });
  });
  group('log in', () => {
    const body = JSON.stringify({ user: `visitor-${__VU}`, password: 'open sesame' });
    const res = http.post(`${BASE}/login`, body, { headers: { 'Content-Type': 'application/json' } });
    const me = http.get(`${BASE}/me`, { headers: { Authorization: `Bearer ${res.json('token')}` } });
    check(me, { 'the shop knows us': (r) => r.json('user') === `visitor-${__VU}` });
    welcome.add(Date.now() - began);
  });
  sleep(0.1 + Math.random() * 0.2);
}

export function probe() {
  // About one in twenty of these answers with 500: see what that does to the checks and to http_req_failed.
  const res = http.get(`${BASE}/flaky?rate=0.05`, { tags: { name: 'flaky' } });
  check(res, { 'the probe got through': (r) => r.status === 200 });
  http.get(`${BASE}/latency?mean=20ms`, { tags: { name: 'latency' } });
}

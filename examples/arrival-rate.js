// An open model: requests come at a rate, however long the answers take. When all virtual users are busy, an iteration is
// dropped and counted in dropped_iterations: the server, or this machine, did not keep up.
import http from 'k6/http';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = {
  discardResponseBodies: true,
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate', rate: 100, timeUnit: '1s', duration: '2s', preAllocatedVUs: 20, maxVUs: 50, gracefulStop: '1s',
    },
    wave: {
      executor: 'ramping-arrival-rate', startRate: 10, timeUnit: '1s', preAllocatedVUs: 20, maxVUs: 50, gracefulStop: '1s',
      stages: [{ target: 200, duration: '1s' }, { target: 10, duration: '1s' }],
    },
  },
  thresholds: { dropped_iterations: ['count<30'] },
};

export default function () {
  http.get(`${BASE}/latency?mean=20ms`);
}

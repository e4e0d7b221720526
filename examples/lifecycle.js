// setup runs once before the virtual users, teardown once after them; what setup returns is given to all.
import http from 'k6/http';
import { check, fail } from 'k6';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = { vus: 3, iterations: 30 };

export function setup() {
  const res = http.post(`${BASE}/login`, JSON.stringify({ user: 'ada', password: 'lovelace' }), {
    headers: { 'Content-Type': 'application/json' },
  });
  if (res.status !== 200) fail(`no login: ${res.status}`);
  return { token: res.json('token') };
}

export default function (data) {
  const res = http.get(`${BASE}/me`, { headers: { Authorization: `Bearer ${data.token}` } });
  check(res, { 'still logged in': (r) => r.json('user') === 'ada' });
}

export function teardown(data) {
  console.log(`the token had ${data.token.length} characters`);
}

// The smallest test that says something: one page, asked for by five people for two seconds.
//
//   throng demo --serve --addr 127.0.0.1:8080 &
//   throng run -e BASE_URL=http://127.0.0.1:8080 examples/first.js
import http from 'k6/http';
import { check, sleep } from 'k6';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = { vus: 5, duration: '2s' };

export default function () {
  const res = http.get(`${BASE}/html`);
  check(res, { 'the page is there': (r) => r.status === 200 && r.body.includes('Things to carry') });
  sleep(0.1);
}

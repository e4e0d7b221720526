// Several requests at once, as a browser makes them; redirects, cookies, and a request that may take only so long.
import http from 'k6/http';
import { check, group } from 'k6';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = { vus: 2, iterations: 10 };

export default function () {
  group('a page with its parts', () => {
    const all = http.batch([
      ['GET', `${BASE}/html`],
      ['GET', `${BASE}/bytes/2000`, null, { tags: { name: 'image' } }],
      { method: 'POST', url: `${BASE}/post`, body: { seen: 'yes' } },
    ]);
    check(all[2], { 'the form arrived': (r) => r.json('form.seen') === 'yes' });
  });
  group('cookies and redirects', () => {
    const res = http.get(`${BASE}/cookies/set?basket=rope`);
    check(res, { 'the basket is kept': (r) => r.json('cookies.basket') === 'rope' });
  });
  group('patience', () => {
    const res = http.get(`${BASE}/delay/2`, { timeout: '50ms', tags: { name: 'slow' }, responseCallback: null });
    check(res, { 'we gave up': (r) => r.error_code === 1050 });
  });
}

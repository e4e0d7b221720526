// TypeScript runs as it is: types are taken out, nothing has to be built first.
import http from 'k6/http';
import { check } from 'k6';

interface Thing { id: number; name: string; price: number }

const BASE: string = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = { vus: 2, iterations: 10 };

function dearest(things: Thing[]): Thing | undefined {
  return things.reduce<Thing | undefined>((best, t) => (best && best.price >= t.price ? best : t), undefined);
}

export default function (): void {
  const res = http.get(`${BASE}/json`);
  const things = res.json('items') as unknown as Thing[];
  check(res, { 'rope is the dearest': () => dearest(things)?.name === 'rope' });
}

// handleSummary replaces the report at the end: here a line on the terminal, and everything as JSON in a file.
import http from 'k6/http';

const BASE = __ENV.BASE_URL || 'http://127.0.0.1:8080';

export const options = { vus: 2, iterations: 20, summaryTrendStats: ['avg', 'p(95)', 'p(99)', 'count'] };

export default function () {
  http.get(`${BASE}/json`);
}

export function handleSummary(data) {
  const d = data.metrics.http_req_duration.values;
  const out = { stdout: `${d.count} requests, 99 of 100 within ${d['p(99)'].toFixed(2)} ms\n` };
  if (__ENV.REPORT) out[__ENV.REPORT] = JSON.stringify(data, null, 2);
  return out;
}

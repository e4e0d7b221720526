// How long compressed bodies are, small ones too, and a Content-Encoding that contradicts the compression.
import http from 'k6/http';

const text = (n) => 'abc'.repeat(n);

export default function () {
  for (const encoding of ['gzip', 'deflate']) {
    const sizes = [1, 2, 3, 10, 100, 10000].map((n) => http.post(`${__ENV.BASE}/anything`, text(n), { compression: encoding }).json('length'));
    console.log(encoding, sizes.join(' '));
  }
  const r = http.post(`${__ENV.BASE}/anything`, text(10), { compression: 'gzip', headers: { 'Content-Encoding': 'identity' } });
  console.log(r.json('headers.Content-Encoding'), r.json('length'));
}

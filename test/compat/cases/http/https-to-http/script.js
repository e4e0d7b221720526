// https to a server that speaks plain HTTP, and the other way round.
import http from 'k6/http';

export default function () {
  const r = http.get(`https://${__ENV.HOST}/`);
  console.log(r.status, r.error_code, r.error);
  const plain = http.get(`${__ENV.TLS.replace('https', 'http')}/`);
  console.log(plain.status, plain.error_code, plain.body);
  try {
    http.get(`https://${__ENV.HOST}/`, { throw: true });
  } catch (e) {
    console.log(e.message);
  }
}

// Status 101, which nobody asked for: an exception even without throw, and no request is counted.
import http from 'k6/http';

export default function () {
  try {
    http.get(`${__ENV.BASE}/status/101`);
    console.log('not reached');
  } catch (e) {
    console.log(e.message);
  }
}

// Says where its VUs are.
import exec from 'k6/execution';

export const options = { scenarios: { here: { executor: 'per-vu-iterations', vus: 4, iterations: 1 } } };

export default function () {
  console.log(`VU ${exec.vu.idInTest} is on ${__ENV.HOSTNAME}`);
}

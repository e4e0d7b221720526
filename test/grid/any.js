// Whatever scenarios a play asks for; every iteration is witnessed, under its scenario's name and with its number in the test.
import http from 'k6/http';
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const env = (name, or) => (__ENV[name] === undefined ? or : __ENV[name]);
const pause = Number(env('PAUSE', 0.1));
const counted = new Counter('counted');
const known = new Trend('known');
const even = new Rate('even');
const last = new Gauge('last');

export const options = Object.assign(env('SCENARIOS') ? { scenarios: JSON.parse(env('SCENARIOS')) } : {}, JSON.parse(env('OPTIONS', '{}')));

for (const end = Date.now() + Number(env('INIT', 0)) * 1000; Date.now() < end;);

function once(what) { http.get(`${__ENV.SERVER}/once?run=${__ENV.RUN}&what=${what}`); }

function mark(scenario, i) {
  http.get(`${__ENV.SERVER}/mark?run=${__ENV.RUN}.${scenario}&i=${i}&node=${__ENV.HOSTNAME || ''}`, { tags: { name: 'mark' } });
}

export function setup() {
  once('setup');
  sleep(Number(env('SETUP', 0)));
  if (env('THROW') === 'setup') throw new Error('setup does not want to');
  once('setup-done');
  return { from: 'setup', much: 'x'.repeat(Number(env('MUCH', 0))) };
}

function iterate(data) {
  if (data.from !== 'setup') throw new Error('setup data did not arrive');
  const i = exec.scenario.iterationInTest;
  mark(exec.scenario.name, i);
  if (exec.vu.iterationInInstance === 0) mark('vu', exec.vu.idInTest);
  counted.add(1, { kind: i % 3 === 0 ? 'third' : 'other' });
  known.add(i % 1000);
  even.add(i % 2 === 0);
  last.add(7);
  if (String(i) === env('ABORT_AT')) exec.test.abort('that will do');
  if (String(i) === env('FAIL_AT')) exec.test.fail('not good');
  sleep(pause);
}

export default iterate;
export function other(data) { iterate(data); }

export function teardown(data) {
  once(data.from === 'setup' ? 'teardown' : 'teardown-without-data');
  sleep(Number(env('TEARDOWN', 0)));
  once('teardown-done');
}

export function handleSummary(data) {
  if (env('SUMMARY')) {
    once('summary');
    sleep(Number(env('SUMMARY')));
    once('summary-done');
  }
  const count = (name) => (data.metrics[name] ? data.metrics[name].values.count : 0);
  return { stdout: JSON.stringify({
    iterations: count('iterations'), dropped: count('dropped_iterations'), reqs: count('http_reqs'), counted: count('counted'), third: count('counted{kind:third}'),
    known: data.metrics.known && data.metrics.known.values, even: data.metrics.even && data.metrics.even.values,
    last: data.metrics.last && data.metrics.last.values, state: Object.keys(data.state).sort(),
  }) + '\n' };
}

// The order of metrics and their parts: that of localeCompare, where punctuation has an order of its own and small letters come first.
import { Counter } from 'k6/metrics';

const names = ['a_b', 'ab', 'A_b', 'a1', 'a10', 'a2', '_a', 'Ab', 'aB'];
const counters = names.map((n) => new Counter(n));

const parts = ['kind:get', 'kind:GET', 'kind:/a?b=1', 'kind:/a', 'kind:/a#b', 'kind:global', 'kind:globaloff', 'kind:a b', 'kind:a_b', 'kind:a-b', 'Kind:a'];
export const options = { thresholds: Object.fromEntries(parts.map((p) => [`ab{${p}}`, ['count>=0']])) };

export default function () {
  counters.forEach((c) => c.add(1));
  parts.forEach((p) => counters[1].add(1, { [p.split(':')[0]]: p.split(':')[1] }));
}

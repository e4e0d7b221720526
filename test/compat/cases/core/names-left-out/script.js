// undefined and null where a name or a reason belongs mean the empty text.
import { check, fail, group } from 'k6';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';

const told = [];
for (const name of [undefined, null]) {
  try {
    new Counter(name);
  } catch (e) {
    told.push(e.message);
  }
}

export default function () {
  told.forEach((m) => console.log(m));
  for (const name of [undefined, null, 0, false]) {
    group(name, () => {
      console.log(JSON.stringify(exec.vu.metrics.tags.group));
      check(1, { inside: true });
    });
  }
  for (const why of [undefined, null, 0, '', { a: 1 }, [1]]) {
    try {
      fail(why);
    } catch (e) {
      console.log(JSON.stringify(e.message), e.name);
    }
  }
}

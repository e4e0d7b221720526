// THRESHOLDS: a part stands below its metric where the metric has thresholds of its own, else by itself; names with _ between.
import { check } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const wait = new Trend('wait', true);
const sold = new Counter('sold');
const soldLate = new Counter('sold_late');
const happy = new Rate('happy');
const stock = new Gauge('stock');

export const options = {
  thresholds: {
    wait: ['avg<1'],
    'wait{kind:a}': ['max<5', 'p(90)<7'],
    'wait{kind:never}': ['max<5'],
    sold: ['count>0'],
    'sold{size:big}': ['count>5', 'count<2'],
    sold_late: ['count>0'],
    'happy{size:big}': ['rate>0.3'],
    'stock{size:big}': ['value>0.3'],
    checks: ['rate>0.9'],
    'checks{check:one}': ['rate>0.9'],
  },
};

export default function () {
  wait.add(3, { kind: 'a' });
  wait.add(1.5);
  sold.add(3, { size: 'big' });
  soldLate.add(1);
  happy.add(true, { size: 'big' });
  happy.add(false);
  stock.add(5, { size: 'big' });
  check(1, { one: true, two: false });
}

// Without the system tag group: checks and groups still run, but the report knows of no groups.
import { check, group } from 'k6';
import exec from 'k6/execution';

export const options = { systemTags: ['check', 'method'] };

export default function () {
  group('outer', () => {
    check(1, { 'in a group': true });
    group('inner', () => console.log(JSON.stringify(exec.vu.metrics.tags)));
  });
  check(1, { 'in none': true });
}

export function handleSummary(data) {
  const { name, groups, checks } = data.root_group;
  console.log(JSON.stringify([name, groups, checks.map((c) => [c.name, c.path, c.passes])]), Object.keys(data.metrics).includes('group_duration'));
  return {};
}

// Without the system tag check the report counts checks, but names none; groups have none either.
import { check, group } from 'k6';

export const options = { systemTags: ['group', 'method'] };

export default function () {
  group('g', () => check(1, { a: true }));
  check(1, { b: false });
}

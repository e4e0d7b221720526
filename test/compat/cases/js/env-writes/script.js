// What a script writes to __ENV becomes text, and stays with the virtual user.
export const options = { vus: 1, iterations: 2 };

export default function () {
  if (__ITER === 1) {
    console.log(typeof __ENV.LEFT, __ENV.LEFT);
    return;
  }
  for (const v of [5, 1.5, true, null, undefined, NaN, 10n, 'text', { a: 1 }, [1, 2]]) {
    __ENV.IT = v;
    console.log(typeof __ENV.IT, JSON.stringify(__ENV.IT));
  }
  delete __ENV.IT;
  console.log(__ENV.IT, 'IT' in __ENV, typeof __ENV.BASE);
  __ENV[7] = 8;
  console.log(__ENV['7'], Object.keys(__ENV).includes('7'));
  __ENV.LEFT = 9;
}

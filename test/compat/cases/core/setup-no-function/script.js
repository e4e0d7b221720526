// An exported setup that is no function: exit code 255, and nothing runs.
export const setup = { not: 'a function' };

export default function () { console.log('not reached'); }

// A function where an option's value should be: exit code 255 before anything runs.
export const options = { iterations: 1, vus: () => 1 };

export default function () { console.log('not reached'); }

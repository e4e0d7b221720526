// --log-output to somewhere unknown: exit code 255 before anything runs.
export default function () { console.log('not reached'); }

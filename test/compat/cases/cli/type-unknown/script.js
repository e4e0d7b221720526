// --type of something that is no type: exit code 255.
export default function () { console.log('not reached'); }

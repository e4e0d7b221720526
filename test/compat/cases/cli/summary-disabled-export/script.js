// --summary-mode disabled: no export either, whatever --summary-export says; the exit code is as ever.
export default function () { console.log('ran'); }

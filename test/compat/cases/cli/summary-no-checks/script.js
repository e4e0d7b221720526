// A threshold on checks, and no check in the run: the counts of checks are shown, all nought; a rate without samples passes.
export const options = { thresholds: { checks: ['rate>0.5'], 'checks{check:never}': ['rate>0.5'] } };

export default function () {}

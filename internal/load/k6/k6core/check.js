// check() in the language itself, so that the functions it is given run on the engine's own stack: called from Go, each
// would put another two kilobytes on the stack of a virtual user, which keeps what it has once needed. The desk is where
// the work is done that is not calling.
'use strict';
(desk) => function check(value, sets, tags) {
  desk.tags = tags;
  desk.sets = sets;
  try {
    let all = true, answer;
    while ((answer = desk.next) !== desk.end) {
      if (typeof answer === 'function') answer = answer(value);
      if (!(desk.answer = answer)) all = false;
    }
    return all;
  } finally {
    desk.done;
  }
}

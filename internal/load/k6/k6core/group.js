// group() in the language itself, for the reason that check.js gives.
'use strict';
(door) => function group(name, inside) {
  door.name = name;
  door.inside = inside;
  try {
    return inside();
  } finally {
    door.leave;
  }
}

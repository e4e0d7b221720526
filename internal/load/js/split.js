// String.prototype.split('') cuts between UTF-16 code units (ECMA-262, 22.1.3.23); the engine cuts between characters.
(function () {
  'use strict';
  const native = String.prototype.split;
  const value = function split(separator, limit) {
    if (separator !== '' || this === null || this === undefined) return native.call(this, separator, limit);
    const s = String(this), out = [], end = limit === undefined ? s.length : Math.min(limit >>> 0, s.length);
    for (let i = 0; i < end; i++) out.push(s[i]);
    return out;
  };
  Object.defineProperty(String.prototype, 'split', { value, writable: true, enumerable: false, configurable: true });
})();

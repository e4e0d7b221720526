// A string of gigabytes is refused as other engines refuse it, with a RangeError that the script can catch. Unchecked, one
// such call ends the process without a word, and with it whatever was measured. The bound is V8's.
(function () {
  'use strict';
  const longest = 0x1fffffe8;
  const define = (o, name, value) => Object.defineProperty(o, name, { value, writable: true, enumerable: false, configurable: true });
  const { repeat, padStart, padEnd } = String.prototype;
  define(String.prototype, 'repeat', function (count) {
    if (this !== null && this !== undefined && String(this).length * Number(count) > longest) throw new RangeError('Invalid string length');
    return repeat.call(this, count);
  });
  for (const [name, native] of [['padStart', padStart], ['padEnd', padEnd]]) {
    define(String.prototype, name, function (length, ...fill) {
      if (Number(length) > longest) throw new RangeError('Invalid string length');
      return native.call(this, length, ...fill);
    });
  }
})();

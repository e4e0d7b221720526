// Named groups of regular expressions (ECMA-262, 22.2.7.2 and 22.2.6.11), on top of an engine whose matcher knows them but
// numbers them after all others, and forgets their names.
(function () {
  'use strict';
  const proto = RegExp.prototype;
  const nativeExec = proto.exec;
  const nativeReplace = proto[Symbol.replace];
  const plans = new Map();

  // plan returns null for a source without named groups, or else the names in order, and for each group of the source
  // which group of the engine it is.
  function plan(source) {
    let p = plans.get(source);
    if (p !== undefined) return p;
    const groups = [];
    let inClass = false;
    for (let i = 0; i < source.length; i++) {
      const c = source[i];
      if (c === '\\') i++;
      else if (inClass) inClass = c !== ']';
      else if (c === '[') inClass = true;
      else if (c === '(') {
        if (source[i + 1] !== '?') groups.push(null);
        else if (source[i + 2] === '<' && source[i + 3] !== '=' && source[i + 3] !== '!') {
          groups.push(source.slice(i + 3, source.indexOf('>', i)));
        }
      }
    }
    const unnamed = groups.filter((g) => g === null).length;
    const named = [...new Set(groups.filter((g) => g !== null))];
    p = null;
    if (named.length > 0) {
      let plain = 0;
      p = { named, from: groups.map((g) => (g === null ? ++plain : unnamed + 1 + named.indexOf(g))), at: groups };
    }
    plans.set(source, p);
    return p;
  }

  function groupsOf(p, captures) {
    const groups = Object.create(null);
    p.at.forEach((name, i) => {
      if (name !== null && (captures[i] !== undefined || !(name in groups))) groups[name] = captures[i];
    });
    return groups;
  }

  function define(o, key, value) {
    Object.defineProperty(o, key, { value, writable: true, enumerable: false, configurable: true });
  }

  define(proto, 'exec', function exec(string) {
    const m = nativeExec.call(this, string);
    if (m === null) return m;
    const p = plan(this.source);
    if (p === null) {
      m.groups = undefined;
      return m;
    }
    const captures = p.from.map((n) => m[n]);
    captures.forEach((c, i) => { m[i + 1] = c; });
    m.groups = groupsOf(p, captures);
    return m;
  });

  function expand(template, args, groups) {
    const n = args.length - 3;
    const matched = args[0], at = args[n + 1], string = args[n + 2];
    let out = '';
    for (let i = 0; i < template.length; i++) {
      const c = template[i], d = template[i + 1];
      if (c !== '$' || d === undefined) { out += c; continue; }
      if (d === '$') { out += '$'; i++; continue; }
      if (d === '&') { out += matched; i++; continue; }
      if (d === '`') { out += string.slice(0, at); i++; continue; }
      if (d === "'") { out += string.slice(at + matched.length); i++; continue; }
      if (d === '<') {
        const end = template.indexOf('>', i);
        if (end < 0) { out += c; continue; }
        const v = groups[template.slice(i + 2, end)];
        out += v === undefined ? '' : v;
        i = end;
        continue;
      }
      let digits = 0;
      for (const len of [2, 1]) {
        const s = template.slice(i + 1, i + 1 + len);
        if (s.length === len && [...s].every((x) => x >= '0' && x <= '9') && +s >= 1 && +s <= n) { digits = len; break; }
      }
      if (digits === 0) { out += c; continue; }
      const v = args[+template.slice(i + 1, i + 1 + digits)];
      out += v === undefined ? '' : v;
      i += digits;
    }
    return out;
  }

  define(proto, Symbol.replace, function (string, replacement) {
    const p = plan(this.source);
    if (p === null) return nativeReplace.call(this, string, replacement);
    const template = typeof replacement === 'function' ? null : String(replacement);
    return nativeReplace.call(this, string, (...args) => {
      const groups = groupsOf(p, args.slice(1, 1 + p.at.length));
      return template === null ? replacement(...args, groups) : expand(template, args, groups);
    });
  });
})();

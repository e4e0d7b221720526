package httpc

import (
	"bytes"
	"iter"
	"net/textproto"
)

// Header is the fields of a response: the bytes as they came, read when asked. What framed the message on this
// connection is not shown, as in net/http: Transfer-Encoding, Content-Length and Trailer of a chunked body,
// Connection when it says close.
type Header struct {
	raw    []byte // lines with folds undone, each ended by \n
	shared bool   // raw is a known head's: nobody may write to it
	hide   uint16 // 1<<kind of special fields that are not shown
	single bool   // show one Content-Length of several equal ones
	folded bool   // raw was rewritten: its lines are trimmed
	seen   uint16 // 1<<kind of the special fields that are among them
	pragma bool   // Pragma: no-cache came without Cache-Control, which net/http then adds
}

// Raw returns the lines as they came, obsolete folds undone. It belongs to the Response.
func (h Header) Raw() []byte { return h.raw }

// reusable is raw's room for another head.
func (h Header) reusable() []byte {
	if h.shared {
		return nil
	}
	return h.raw[:0]
}

// SetsCookies reports whether Values("Set-Cookie") would find anything.
func (h Header) SetsCookies() bool { return h.seen&(1<<isSetCookie) != 0 }

// Encoded reports whether Get("Content-Encoding") may find anything.
func (h Header) Encoded() bool { return h.seen&(1<<isContentEncoding) != 0 }

// Each yields canonical name and value of each field in the order they came.
func (h Header) Each() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		length := false
		for name, value := range h.lines() {
			if special(name) == isContentLength {
				if length && h.single {
					continue
				}
				length = true
			}
			if !yield(canonical(name), string(value)) {
				return
			}
		}
		if h.pragma {
			yield("Cache-Control", "no-cache")
		}
	}
}

// lines yields names and values as bytes of raw.
func (h Header) lines() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for rest := h.raw; len(rest) > 0; {
			var line []byte
			line, rest, _ = bytes.Cut(rest, []byte{'\n'})
			name, value, ok := bytes.Cut(line, []byte{':'})
			if !ok || h.hide != 0 && h.hide&(1<<special(name)) != 0 {
				continue
			}
			if !yield(name, trimValue(value, h.folded)) {
				return
			}
		}
	}
}

// Get returns the first value of the field, "" if there is none. The name's case does not matter.
func (h Header) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup is Get that tells an empty value from none.
func (h Header) Lookup(name string) (string, bool) {
	for n, v := range h.lines() {
		if sameName(n, name) {
			return string(v), true
		}
	}
	if h.pragma && sameName([]byte("Cache-Control"), name) {
		return "no-cache", true
	}
	return "", false
}

// Values returns all values of the field in the order they came.
func (h Header) Values(name string) []string {
	var all []string
	for n, v := range h.lines() {
		if sameName(n, name) {
			all = append(all, string(v))
		}
	}
	if h.single && len(all) > 1 && special(name) == isContentLength {
		all = all[:1]
	}
	if h.pragma && sameName([]byte("Cache-Control"), name) {
		all = append(all, "no-cache")
	}
	return all
}

// Len counts the fields that Each yields.
func (h Header) Len() int {
	n := 0
	for range h.Each() {
		n++
	}
	return n
}

func (h *Header) add(name, value string) {
	h.seen |= 1 << special(name)
	h.raw = append(h.raw, name...)
	h.raw = append(h.raw, ": "...)
	h.raw = append(h.raw, value...)
	h.raw = append(h.raw, '\n')
}

func sameName(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range b {
		x, y := b[i], name[i]
		if 'A' <= x && x <= 'Z' {
			x |= 0x20
		}
		if 'A' <= y && y <= 'Z' {
			y |= 0x20
		}
		if x != y {
			return false
		}
	}
	return true
}

// canonical is the name as net/http shows it; names with a blank are left as they came.
func canonical(name []byte) string {
	if bytes.IndexByte(name, ' ') >= 0 {
		return string(name)
	}
	return textproto.CanonicalMIMEHeaderKey(string(name))
}

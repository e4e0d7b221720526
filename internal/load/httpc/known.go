package httpc

import "bytes"

// knownHead is a head that a URL was answered with. Most servers answer a URL with the same bytes for a second, or for
// ever, and bytes that were understood once need not be looked at again: they are compared, and all virtual users share
// what was made of them. It never changes.
type knownHead struct {
	all        []byte // from the status line to the empty line
	statusText string
	proto      string
	header     Header
	status     int
	framing    framing
}

const (
	// maxKnown bounds what is remembered of a URL, in bytes.
	maxKnown = 4 << 10
	// A server that writes another head each time is not worth remembering: a connection tries a few times in a row, and
	// then once in a while.
	tryKnown, retryKnown = 4, 32
)

// is reports whether the head in b is this one. What a head means depends on whether HEAD was asked.
func (k *knownHead) is(b *buffer, method string) bool {
	return bytes.HasPrefix(b.b[b.r:b.w], k.all) && method != "HEAD"
}

// tell takes the head from b and fills resp.
func (k *knownHead) tell(b *buffer, resp *Response, f *framing) {
	resp.Status, resp.StatusText, resp.Proto, resp.Header = k.status, k.statusText, k.proto, k.header
	*f = k.framing
	b.r += len(k.all)
}

// learn remembers the head that was just taken from the buffer, where it began at from.
func (x *exchange) learn(h *head, from int) {
	resp, b := x.resp, x.b
	size := b.r - from
	if x.cn.unknown++; x.cn.unknown > tryKnown && x.cn.unknown%retryKnown != 0 {
		return
	}
	// The buffer may have been moved on for a long head, a folded one has been rewritten, and an informational one may
	// stand before it.
	if from != 0 || size > maxKnown || h.folded || x.req.Method == "HEAD" || !bytes.HasSuffix(b.b[:b.r], resp.Header.raw) {
		return
	}
	k := &knownHead{all: bytes.Clone(b.b[:size]), status: resp.Status, statusText: resp.StatusText, proto: resp.Proto, framing: h.framing}
	resp.Header.raw, resp.Header.shared = k.all[size-len(resp.Header.raw):], true
	k.header = resp.Header
	x.req.URL.head.Store(k)
}

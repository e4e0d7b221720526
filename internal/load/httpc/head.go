package httpc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
)

// maxHead bounds all heads of one exchange together, in bytes, as net/http does by default.
const maxHead = 10 << 20

// framing is what a head says about the body behind it and about the connection.
type framing struct {
	length    int64 // of the body; -1: until the connection closes, or chunked
	chunked   bool
	close     bool // the server will not keep the connection
	keepAlive bool // it has promised to
}

// head reads status lines and fields, and keeps what frames the body.
type head struct {
	framing
	limit int // bytes that may still come

	major, minor  int
	lengths       int
	codings       int
	coding        string
	firstLength   []byte
	seen          uint16 // 1<<kind of the special fields that came
	hasClose      bool
	badTrailerKey string
	hasTrailer    bool
	folded        bool
	pragma, cache uint8
}

// read takes one head from the buffer, reading more as needed, and fills resp. What it refuses, net/http refuses.
func (h *head) read(b *buffer, src io.Reader, resp *Response, method string) error {
	*h = head{limit: h.limit, framing: framing{length: -1}}
	n, err := h.line(b, src, 0)
	if err != nil {
		return err
	}
	if err := h.status(dropEnd(b.b[b.r:b.r+n]), resp); err != nil {
		return err
	}
	if size := h.quick(b.b[b.r+n : b.w]); size > 0 && n+size <= h.limit {
		resp.Header = Header{raw: append(resp.Header.raw[:0], b.b[b.r+n:b.r+n+size]...), seen: h.seen}
		b.r += n + size
		h.limit -= n + size
		return h.frame(resp, method)
	}
	*h = head{limit: h.limit, framing: framing{length: -1}, major: h.major, minor: h.minor}
	return h.slow(b, src, resp, method, n)
}

// quick reads fields that are here as a whole and have nothing unusual about them, in one pass. It returns how many bytes
// they are, the empty line included, and 0 for those that slow must look at.
func (h *head) quick(p []byte) int {
	at := 0
	for {
		n := bytes.IndexByte(p[at:], '\n')
		if n < 0 {
			return 0
		}
		line := dropEnd(p[at : at+n+1])
		at += n + 1
		if len(line) == 0 {
			return at
		}
		colon := 0
		for colon < len(line) && tokenBytes[line[colon]] {
			colon++
		}
		if colon == 0 || colon == len(line) || line[colon] != ':' || !fieldValue(line[colon+1:]) {
			return 0
		}
		if kind := special(line[:colon]); kind != ordinary {
			h.note(kind, trimValue(line[colon+1:], false))
		}
	}
}

// slow reads fields behind a status line of begin bytes, in two passes: what is wrong with the lines comes before what is
// wrong with a field.
func (h *head) slow(b *buffer, src io.Reader, resp *Response, method string, begin int) error {
	at := begin
	for {
		n, err := h.line(b, src, at)
		if err != nil {
			return err
		}
		line := dropEnd(b.b[b.r+at : b.r+at+n])
		at += n
		if len(line) == 0 {
			break
		}
		fold, err := checkLine(line, at-n == begin)
		if err != nil {
			return err
		}
		h.folded = h.folded || fold
	}
	block := b.b[b.r+begin : b.r+at]
	if h.folded {
		block = unfold(block)
	}
	resp.Header = Header{raw: append(resp.Header.raw[:0], block...), folded: h.folded}
	b.r += at
	h.limit -= at
	if err := h.fields(resp.Header.raw); err != nil {
		return err
	}
	resp.Header.seen = h.seen
	return h.frame(resp, method)
}

// checkLine refuses lines without a colon, and tells those that go on with the field before.
func checkLine(line []byte, first bool) (fold bool, err error) {
	switch {
	case line[0] == ' ' || line[0] == '\t':
		if first {
			return false, plain("malformed MIME header initial line: " + fmt.Sprintf("%q", line))
		}
		return true, nil
	case bytes.IndexByte(line, ':') < 0:
		return false, plain("malformed MIME header: missing colon: " + fmt.Sprintf("%q", line))
	}
	return false, nil
}

// line makes sure that a whole line stands at b.r+at and returns its length with its end. At the end of the stream an
// unfinished line counts as one, as in net/textproto: what follows then fails.
func (h *head) line(b *buffer, src io.Reader, at int) (int, error) {
	from := at
	for {
		if i := bytes.IndexByte(b.b[b.r+from:b.w], '\n'); i >= 0 {
			n := from + i + 1 - at
			if at+n > h.limit {
				return 0, errHeadTooLong
			}
			return n, nil
		}
		from = b.w - b.r
		if from >= h.limit {
			return 0, errHeadTooLong
		}
		if _, err := b.fill(src, maxHead+bufferSize); err != nil {
			if err == io.EOF && from > at {
				return from - at, nil
			}
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
}

const errHeadTooLong = plain("net/http: server response headers exceeded 10485760 bytes; aborted")

// dropEnd takes the end of a line off.
func dropEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	return line
}

func (h *head) status(line []byte, resp *Response) error {
	proto, text, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return plain("malformed HTTP response " + fmt.Sprintf("%q", line))
	}
	text = bytes.TrimLeft(text, " ")
	code, _, _ := bytes.Cut(text, []byte{' '})
	n, ok := statusCode(code)
	if !ok {
		return plain("malformed HTTP status code " + fmt.Sprintf("%q", code))
	}
	if h.major, h.minor, ok = version(proto); !ok {
		return plain("malformed HTTP version " + fmt.Sprintf("%q", proto))
	}
	resp.Status = n
	if resp.StatusText != string(text) {
		resp.StatusText = statusText(n, text)
	}
	resp.Proto = "HTTP/1.1"
	if h.major != 1 || h.minor != 1 {
		resp.Proto = string(proto)
	}
	return nil
}

// statusCode reads three characters as strconv.Atoi does, which takes a sign: "+20" is 20.
func statusCode(b []byte) (int, bool) {
	if len(b) != 3 {
		return 0, false
	}
	n, err := strconv.Atoi(string(b))
	return n, err == nil && n >= 0
}

// statusText spares a string for the usual ones.
func statusText(code int, text []byte) string {
	if code == 200 && string(text) == "200 OK" {
		return "200 OK"
	}
	return string(text)
}

func version(b []byte) (major, minor int, ok bool) {
	if string(b) == "HTTP/1.1" {
		return 1, 1, true
	}
	return http.ParseHTTPVersion(string(b))
}

// fields checks each field and notes those that matter here.
func (h *head) fields(raw []byte) error {
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\n')
		line := raw
		if i >= 0 {
			line, raw = dropEnd(raw[:i+1]), raw[i+1:]
		} else {
			raw = nil
		}
		if len(line) == 0 {
			return nil
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !fieldName(line[:colon]) || !fieldValue(line[colon+1:]) {
			return malformed(line)
		}
		if kind := special(line[:colon]); kind != ordinary {
			h.note(kind, trimValue(line[colon+1:], h.folded))
		}
	}
	return nil
}

func malformed(line []byte) error {
	return plain("malformed MIME header line: " + fmt.Sprintf("%q", bytes.Trim(line, " \t")))
}

func (h *head) note(kind uint8, value []byte) {
	h.seen |= 1 << kind
	switch kind {
	case isConnection:
		h.hasClose = h.hasClose || hasToken(value, "close")
		h.keepAlive = h.keepAlive || hasToken(value, "keep-alive")
	case isContentLength:
		if h.lengths++; h.lengths == 1 {
			h.firstLength = value
		} else if !bytes.Equal(h.firstLength, value) {
			h.lengths = 1 << 20 // they differ; frame tells
		}
	case isTransferEncoding:
		h.codings++
		if !equalFold(value, "chunked") {
			h.coding = string(value)
			h.codings |= 1 << 20
		}
	case isTrailer:
		h.hasTrailer = true
		for rest := value; len(rest) > 0 && h.badTrailerKey == ""; {
			var one []byte
			one, rest, _ = bytes.Cut(rest, []byte{','})
			switch special(bytes.Trim(one, " \t")) {
			case isTransferEncoding, isTrailer, isContentLength:
				h.badTrailerKey = textproto.CanonicalMIMEHeaderKey(string(bytes.Trim(one, " \t")))
			}
		}
	case isPragma:
		if h.pragma == 0 {
			h.pragma = 1
			if string(value) == "no-cache" {
				h.pragma = 2
			}
		}
	case isCacheControl:
		h.cache = 1
	}
}

// frame decides how long the body is and whether the connection stays, in the order in which net/http does.
func (h *head) frame(resp *Response, method string) error {
	hd := &resp.Header
	hd.pragma = h.pragma == 2 && h.cache == 0
	h.close = h.major < 1 || h.hasClose || h.major == 1 && h.minor == 0 && !h.keepAlive
	if h.hasClose && h.major >= 1 && (h.major > 1 || h.minor > 0) {
		hd.hide |= 1 << isConnection
	}
	if h.codings > 0 {
		hd.hide |= 1 << isTransferEncoding
		if h.major > 1 || h.minor > 0 && h.major == 1 || h.major == 0 && h.minor == 0 { // 0.0 is 1.1 here, and only here
			if err := h.coded(hd); err != nil {
				return err
			}
			h.chunked = true
		}
	}
	declared, err := h.declared(hd)
	if err != nil {
		return err
	}
	bodiless := method == "HEAD" || resp.Status/100 == 1 || resp.Status == 204 || resp.Status == 304
	switch {
	case bodiless:
		h.length = 0
	case h.chunked:
		hd.hide |= 1 << isContentLength
	case h.lengths > 0:
		h.length = declared
	default:
		h.close = true
	}
	if h.hasTrailer && h.chunked {
		hd.hide |= 1 << isTrailer
		if h.badTrailerKey != "" {
			return plain("bad trailer key " + quote(h.badTrailerKey))
		}
	}
	if bodiless {
		h.chunked = false
	}
	return nil
}

// coded refuses every Transfer-Encoding but a single "chunked".
func (h *head) coded(hd *Header) error {
	if h.codings == 1 {
		return nil
	}
	shown := *hd
	shown.hide = 0
	all := shown.Values("Transfer-Encoding")
	if len(all) != 1 {
		return plain(fmt.Sprintf("too many transfer encodings: %q", all))
	}
	return plain("unsupported transfer encoding: " + quote(all[0]))
}

// declared reads Content-Length: several must be equal, one must be a number.
func (h *head) declared(hd *Header) (int64, error) {
	if h.lengths == 0 {
		return -1, nil
	}
	if h.lengths >= 1<<20 {
		return 0, plain(fmt.Sprintf("http: message cannot contain multiple Content-Length headers; got %q", hd.Values("Content-Length")))
	}
	hd.single = h.lengths > 1
	if len(h.firstLength) == 0 {
		return 0, plain(`invalid empty Content-Length ""`)
	}
	var n int64
	for _, c := range h.firstLength {
		if c < '0' || c > '9' || n > (1<<63-1-int64(c-'0'))/10 {
			return 0, plain("bad Content-Length " + fmt.Sprintf("%q", h.firstLength))
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// trimValue takes the blanks off a value. At the end of a folded line net/http keeps the one that joined it with nothing.
func trimValue(v []byte, folded bool) []byte {
	if folded {
		return bytes.TrimLeft(v, " \t")
	}
	return bytes.Trim(v, " \t\r")
}

// fieldName allows, like net/http, blanks in a name, which is then not written in canonical form.
func fieldName(name []byte) bool {
	for _, c := range name {
		if !tokenBytes[c] && c != ' ' {
			return false
		}
	}
	return true
}

// fieldValue refuses control characters other than a tab. Eight bytes at a time: a value is long, and hardly ever holds one.
func fieldValue(v []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(v) >= 8 {
		x := binary.LittleEndian.Uint64(v)
		below := (x - ones*0x20) & ^x & tops
		del := x ^ ones*0x7f
		if below|(del-ones)&^del&tops != 0 && !plainValue(v[:8]) {
			return false
		}
		v = v[8:]
	}
	return plainValue(v)
}

func plainValue(v []byte) bool {
	for _, c := range v {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// unfold joins continued lines (RFC 9112, 5.2) with one blank.
func unfold(block []byte) []byte {
	out := make([]byte, 0, len(block))
	for len(block) > 0 {
		line := block
		if i := bytes.IndexByte(block, '\n'); i >= 0 {
			line, block = block[:i+1], block[i+1:]
		} else {
			block = nil
		}
		text := dropEnd(line)
		if len(text) > 0 && (text[0] == ' ' || text[0] == '\t') && len(out) > 0 {
			out = append(out[:len(out)-1], ' ')
		}
		out = append(append(out, bytes.Trim(text, " \t")...), '\n')
	}
	return out
}

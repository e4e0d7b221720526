package httpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// body reads what follows a head into a Response.
type body struct {
	b    *buffer
	src  io.Reader
	resp *Response
	keep bool
	max  int64 // bytes that may be kept; 0: no bound
}

// sized reads n bytes.
func (r *body) sized(n int64) error {
	if r.keep && n <= 1<<20 {
		r.grow(int(n))
	}
	for n > 0 {
		got, err := r.some(n)
		n -= int64(got)
		if err != nil {
			return unexpected(err)
		}
	}
	return nil
}

// rest reads until the server closes the connection.
func (r *body) rest() error {
	for {
		if _, err := r.some(1 << 62); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// some takes up to n bytes of the body: those in the buffer first, then, if many are wanted, straight into Body.
func (r *body) some(n int64) (int, error) {
	if r.b.r == r.b.w {
		if r.keep && n >= bufferSize {
			return r.direct(n)
		}
		if _, err := r.b.fill(r.src, bufferSize); err != nil {
			return 0, err
		}
	}
	p := r.b.b[r.b.r:r.b.w]
	if int64(len(p)) > n {
		p = p[:n]
	}
	r.b.r += len(p)
	return len(p), r.take(p)
}

func (r *body) direct(n int64) (int, error) {
	// What a head promises may never come: room grows with what has come.
	at := len(r.resp.Body)
	if cap(r.resp.Body)-at < int(min(n, 512)) {
		r.grow(int(min(n, int64(max(bufferSize, at)))))
	}
	p := r.resp.Body[at:cap(r.resp.Body)]
	if int64(len(p)) > n {
		p = p[:n]
	}
	got, err := r.src.Read(p)
	r.resp.Body = r.resp.Body[:at+got]
	r.resp.BodySize += int64(got)
	if err == nil {
		err = r.allowed()
	}
	return got, err
}

// grow makes room for n more bytes: exactly that for the first, then at least doubling.
func (r *body) grow(n int) {
	have := r.resp.Body
	if cap(have)-len(have) >= n {
		return
	}
	r.resp.Body = append(make([]byte, 0, len(have)+max(n, len(have))), have...)
}

func (r *body) take(p []byte) error {
	r.resp.BodySize += int64(len(p))
	if !r.keep {
		return nil
	}
	r.resp.Body = append(r.resp.Body, p...)
	return r.allowed()
}

func (r *body) allowed() error {
	if r.max > 0 && r.resp.BodySize > r.max {
		return TooLarge(r.max)
	}
	return nil
}

// TooLarge is the error of a body that does not fit Config.MaxResponseBytes.
func TooLarge(most int64) error {
	size := fmt.Sprintf("%d bytes", most)
	if most >= 1<<20 {
		size = fmt.Sprintf("%d MiB", most>>20)
	}
	return plain("the response body is larger than " + size + ", the most that is kept of one: see discardResponseBodies")
}

// maxChunkLine bounds the line before a chunk, as in net/http.
const maxChunkLine = 4096

// chunks reads a chunked body and its trailer (RFC 9112, 7.1).
func (r *body) chunks() error {
	excess := int64(0)
	for {
		line, err := r.chunkLine()
		if err != nil {
			return err
		}
		excess += int64(len(line)) + 2
		size, err := chunkSize(line)
		if err != nil {
			return err
		}
		// A sender may send a byte at a time, but not hide its data in a sea of extensions.
		excess = max(excess-16-2*size, 0)
		if excess > 16<<10 {
			return plain("chunked encoding contains too much non-data")
		}
		if size == 0 {
			return r.trailer()
		}
		if err := r.sized(size); err != nil {
			return err
		}
		if err := r.lineEnd(); err != nil {
			return err
		}
	}
}

// chunkLine takes a line that must end in CRLF.
func (r *body) chunkLine() ([]byte, error) {
	from := 0
	for {
		p := r.b.b[r.b.r:r.b.w]
		if i := bytes.IndexByte(p[from:], '\n'); i >= 0 {
			n := from + i + 1
			if n > maxChunkLine {
				return nil, errLineTooLong
			}
			r.b.r += n
			switch bytes.IndexByte(p[:n], '\r') {
			case -1:
				return nil, plain("chunked line ends with bare LF")
			case n - 2:
				return p[:n-2], nil
			}
			return nil, plain("invalid CR in chunked line")
		}
		if from = len(p); from >= maxChunkLine {
			return nil, errLineTooLong
		}
		if _, err := r.b.fill(r.src, bufferSize); err != nil {
			return nil, unexpected(err)
		}
	}
}

const errLineTooLong = plain("header line too long")

// chunkSize reads the number in front of a chunk; extensions are ignored. It is below 1<<62, or refused.
func chunkSize(line []byte) (int64, error) {
	line = bytes.TrimRight(line, " \t")
	line, _, _ = bytes.Cut(line, []byte{';'})
	if len(line) == 0 {
		return 0, plain("empty hex number for chunk length")
	}
	var n uint64
	for i, c := range line {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, plain("invalid byte in chunk length")
		}
		if i == 16 {
			return 0, plain("http chunk length too large")
		}
		n = n<<4 | uint64(c)
	}
	return int64(min(n, 1<<62)), nil
}

// lineEnd takes the CRLF behind a chunk.
func (r *body) lineEnd() error {
	for r.b.w-r.b.r < 2 {
		if _, err := r.b.fill(r.src, bufferSize); err != nil {
			return unexpected(err)
		}
	}
	if r.b.b[r.b.r] != '\r' || r.b.b[r.b.r+1] != '\n' {
		return plain("malformed chunked encoding")
	}
	r.b.r += 2
	return nil
}

// trailer takes the fields behind the last chunk.
func (r *body) trailer() error {
	for r.b.w-r.b.r < 2 {
		if _, err := r.b.fill(r.src, bufferSize); errors.Is(err, io.EOF) {
			return plain("http: unexpected EOF reading trailer")
		} else if err != nil {
			return err
		}
	}
	if string(r.b.b[r.b.r:r.b.r+2]) == "\r\n" {
		r.b.r += 2
		return nil
	}
	end := 0
	for {
		p := r.b.b[r.b.r:r.b.w]
		if end = bytes.Index(p, []byte("\r\n\r\n")); end >= 0 && end+4 <= maxChunkLine {
			break
		}
		if len(p) >= maxChunkLine {
			return errLongTrailer
		}
		if _, err := r.b.fill(r.src, bufferSize); errors.Is(err, io.EOF) {
			return errLongTrailer
		} else if err != nil {
			return err
		}
	}
	return r.trailerFields(end + 4)
}

const errLongTrailer = plain("http: suspiciously long trailer after chunked body")

// trailerFields reads fields up to the first empty line, which may come before the n bytes end if it is a bare LF.
func (r *body) trailerFields(n int) error {
	block := r.b.b[r.b.r : r.b.r+n]
	at, folded := 0, false
	for {
		i := bytes.IndexByte(block[at:], '\n')
		line := dropEnd(block[at : at+i+1])
		at += i + 1
		if len(line) == 0 {
			break
		}
		fold, err := checkLine(line, at == i+1)
		if err != nil {
			return err
		}
		folded = folded || fold
	}
	r.b.r += at
	block = block[:at]
	if folded {
		block = unfold(block)
	}
	r.resp.Trailer = &Header{raw: bytes.Clone(block), folded: folded}
	h := head{folded: folded}
	return h.fields(r.resp.Trailer.raw)
}

// unexpected is err for a stream that had to go on.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

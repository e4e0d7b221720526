package k6http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"throng/internal/load/httpc"
)

// errDecompress marks a body that its Content-Encoding does not fit: error code 1701.
var errDecompress = errors.New("error decompressing response body")

// decode undoes the encodings that the header Content-Encoding lists, the last one first, into at most the given number
// of bytes. From an encoding that it does not know on, the body stays as it is.
func decode(body []byte, header string, most int64) ([]byte, error) {
	names := strings.Split(header, ",")
	for i := len(names) - 1; i >= 0 && len(body) > 0; i-- {
		r, err := decoder(strings.TrimSpace(names[i]), body)
		if err == nil && r == nil {
			return body, nil
		}
		var out []byte
		if err == nil {
			out, err = io.ReadAll(io.LimitReader(r, most+1))
		}
		if err == nil && int64(len(out)) > most {
			return nil, httpc.TooLarge(most)
		}
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", errDecompress, err)
		}
		body = out
	}
	return body, nil
}

func decoder(name string, body []byte) (io.Reader, error) {
	in := bytes.NewReader(body)
	switch name {
	case "gzip":
		return gzip.NewReader(in)
	case "deflate":
		return zlib.NewReader(in)
	case "br":
		return brotli.NewReader(in), nil
	case "zstd":
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return nil, nil
}

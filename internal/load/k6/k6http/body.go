package k6http

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"unsafe"

	"github.com/andybalholm/brotli"
	"github.com/grafana/sobek"
	"github.com/klauspost/compress/zstd"

	"throng/internal/load/httpc"
)

// parseBody reads a body argument. It returns the Content-Type that a form needs, else "".
func (c *client) parseBody(q *call, v sobek.Value) (contentType string, err error) {
	if isString(v) {
		s := v.String()
		q.body = unsafe.Slice(unsafe.StringData(s), len(s)) // bodies are only read
		return "", nil
	}
	o, ok := v.(*sobek.Object)
	if !ok {
		return "", fmt.Errorf("unknown request body type %s", goType(v))
	}
	if o.ClassName() == "String" {
		q.body = []byte(o.String())
		return "", nil
	}
	switch x := o.Export().(type) {
	case sobek.ArrayBuffer:
		q.body = bytes.Clone(x.Bytes())
		return "", nil
	case []any:
		return "", fmt.Errorf("unknown request body type %T", x)
	}
	if view, ok := viewBytes(o); ok {
		q.body = view
		return "", nil
	}
	keys := o.Keys()
	for _, k := range keys {
		if _, ok := fileOf(o.Get(k)); ok {
			return c.multipart(q, o, keys)
		}
	}
	q.body = c.form(o, keys)
	return "application/x-www-form-urlencoded", nil
}

// viewBytes copies what a typed array or DataView shows of its buffer.
func viewBytes(o *sobek.Object) ([]byte, bool) {
	buffer, ok := o.Get("buffer").(*sobek.Object)
	if !ok {
		return nil, false
	}
	ab, ok := buffer.Export().(sobek.ArrayBuffer)
	if !ok {
		return nil, false
	}
	offset, size := o.Get("byteOffset"), o.Get("byteLength")
	if offset == nil || size == nil {
		return nil, false
	}
	from, n, all := int(offset.ToInteger()), int(size.ToInteger()), ab.Bytes()
	if from < 0 || n < 0 || from+n > len(all) {
		return nil, false
	}
	return bytes.Clone(all[from : from+n]), true
}

func fileOf(v sobek.Value) (*fileValue, bool) {
	o, ok := v.(*sobek.Object)
	if !ok {
		return nil, false
	}
	f, ok := o.Export().(*fileValue)
	return f, ok
}

// form writes the object as application/x-www-form-urlencoded, sorted by key.
func (c *client) form(o *sobek.Object, keys []string) []byte {
	values := url.Values{}
	for _, k := range keys {
		v := o.Get(k)
		if list, ok := v.(*sobek.Object); ok && isArray(list) {
			for i := range length(list) {
				values.Add(k, c.formText(k, list.Get(strconv.Itoa(i))))
			}
			continue
		}
		values.Set(k, c.formText(k, v))
	}
	return []byte(values.Encode())
}

func isArray(o *sobek.Object) bool {
	return o.ClassName() == "Array"
}

func (c *client) formText(key string, v sobek.Value) string {
	if nothing(v) {
		return ""
	}
	if o, ok := v.(*sobek.Object); ok {
		if o.ClassName() == "String" {
			return o.String()
		}
		c.vu.Test.Log.Warn(fmt.Sprintf("cannot urlencode a nested value of the key %q: only text, numbers, booleans and lists of them can be in a form", key))
		return ""
	}
	return goText(v)
}

// goText writes a value as k6 does, which prints floats as Go prints them.
func goText(v sobek.Value) string {
	if f, ok := v.Export().(float64); ok {
		return fmt.Sprint(f)
	}
	return v.String()
}

var quoteEscaper = strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "%0D", "\n", "%0A")

// multipart writes the object as multipart/form-data, in the order of its keys.
func (c *client) multipart(q *call, o *sobek.Object, keys []string) (string, error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, k := range keys {
		v := o.Get(k)
		f, ok := fileOf(v)
		if !ok {
			part, err := w.CreateFormField(k)
			if err != nil {
				return "", err
			}
			_, _ = io.WriteString(part, c.partText(v))
			continue
		}
		data, ok := fileData(f.Get("data"))
		if !ok {
			return "", fmt.Errorf("invalid type %s, expected string or ArrayBuffer", goType(f.Get("data")))
		}
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`,
			quoteEscaper.Replace(k), quoteEscaper.Replace(f.Get("filename").String())))
		h.Set("Content-Type", f.Get("content_type").String())
		part, err := w.CreatePart(h)
		if err != nil {
			return "", err
		}
		_, _ = part.Write(data)
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	q.body = buf.Bytes()
	return w.FormDataContentType(), nil
}

func (c *client) partText(v sobek.Value) string {
	if nothing(v) {
		return ""
	}
	return goText(v)
}

// compress encodes the body with the algorithms of the compression param, the first one innermost.
func (s *shared) compress(q *call) error {
	if q.encodings == "" {
		return nil
	}
	names := strings.Split(q.encodings, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		switch names[i] {
		case "gzip", "deflate", "zstd", "br":
		default:
			return fmt.Errorf("unknown compression algorithm %s, supported algorithms are [gzip deflate zstd br]", names[i])
		}
	}
	if len(q.body) == 0 {
		return nil
	}
	body := q.body
	for _, name := range names {
		var buf bytes.Buffer
		w, err := encoder(name, &buf)
		if err != nil {
			return err
		}
		if _, err := w.Write(body); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		body = buf.Bytes()
	}
	q.body = body
	if own, ok := q.field("Content-Encoding"); ok {
		if own != strings.Join(names, ", ") {
			s.test.Log.Warn(fmt.Sprintf("There's a mismatch between the desired `compression` and the Content-Encoding header %q in the %s request for %s: the header is sent as it is, and may say something else than what the body is",
				own, q.method, q.target.url))
		}
		return nil
	}
	q.header = append(q.header, httpc.Field{Name: "Content-Encoding", Value: strings.Join(names, ", ")})
	return nil
}

func encoder(name string, to io.Writer) (io.WriteCloser, error) {
	switch name {
	case "gzip":
		return gzip.NewWriter(to), nil
	case "deflate":
		return zlib.NewWriter(to), nil
	case "br":
		return brotli.NewWriter(to), nil
	}
	return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
}

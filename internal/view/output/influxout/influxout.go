package influxout

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"throng/internal/metric"
	"throng/internal/view/output/push"
	"throng/internal/view/output/stream"
)

// Output is one database.
type Output struct {
	cfg    *config
	push   *push.Pusher
	write  push.HTTP
	create push.HTTP
	client *http.Client
	plain  atomic.Bool // the server takes no compressed bodies
	proven atomic.Bool // it does

	mu      sync.Mutex // guards what follows
	enc     encoder
	buf     []byte
	samples int64 // in buf
}

// maxBody is the size from which lines are sent without waiting for the interval: about 5,000 of them, which is what InfluxData
// advises for one request.
const maxBody = 1 << 20

// timeout is for one request.
const timeout = 10 * time.Second

// New reads the settings: the environment's K6_INFLUXDB_ variables, and then arg, which is an address whose path ends in a database
// and may be followed by settings (?pushInterval=2s&tagsAsFields=url), or the name of a database. It opens no connection.
func New(arg string, env stream.Env) (*Output, error) {
	cfg, err := parse(arg, env)
	if err != nil {
		return nil, err
	}
	o := &Output{cfg: cfg, enc: encoder{fields: cfg.fields, extra: env.Tags, unit: units()[cfg.precision], texts: map[*metric.TagSet][]byte{}}}
	base := push.HTTP{
		Header: http.Header{"User-Agent": {env.UserAgent}}, Username: cfg.username, Password: cfg.password, Timeout: timeout,
		Proxy: cfg.proxy, Conns: cfg.writers, TLS: &tls.Config{InsecureSkipVerify: cfg.insecure}, //nolint:gosec // if the user says so
	}
	o.write, o.create = base, base
	o.write.URL = cfg.at("/write", url.Values{"db": {cfg.db}, "precision": {cfg.precision}, "rp": {cfg.retention}, "consistency": {cfg.consistency}})
	o.create.URL = cfg.at("/query", url.Values{"q": {`CREATE DATABASE ` + identifier(cfg.db)}})
	o.client = o.write.Client()
	o.push = push.New(push.Config{Name: o.Describe(), Send: o.send, Writers: cfg.writers, Log: env.Log})
	return o, nil
}

// at is a path below the address, without the parameters that are empty.
func (c *config) at(path string, query url.Values) *url.URL {
	for k, v := range query {
		if v[0] == "" {
			delete(query, k)
		}
	}
	u := c.addr.JoinPath(path)
	u.RawQuery = query.Encode()
	return u
}

// identifier quotes a name for InfluxQL.
func identifier(s string) string { return `"` + string(escape(nil, s, `"\`)) + `"` }

// Describe names the output and where it goes.
func (o *Output) Describe() string { return "InfluxDBv1 (" + o.cfg.addr.String() + ")" }

// Start does nothing: a server that is not there keeps no run from beginning.
func (o *Output) Start(stream.Definitions) error { return nil }

// Run creates the database, and sends lines at the push interval until ctx is done. Its error is always nil.
func (o *Output) Run(ctx context.Context) error {
	if o.cfg.addr.Scheme != "udp" {
		// It may be there already, or this user may not create any: whether it can be written to is what counts.
		_ = o.create.Post(ctx, o.client, nil)
	}
	o.push.RunEvery(ctx, o.cfg.every, o.give)
	return nil
}

// Add takes samples.
func (o *Output) Add(samples []metric.Sample) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range samples {
		var ok bool
		if o.buf, ok = o.enc.line(o.buf, &samples[i]); !ok {
			o.push.Lose(1, errNoNumber)
			continue
		}
		o.samples++
		if len(o.buf) >= maxBody {
			o.hand()
		}
	}
}

var errNoNumber = errors.New("InfluxDB stores neither NaN nor infinities")

func (o *Output) give() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hand()
}

// hand gives the lines to be sent; o.mu is held.
func (o *Output) hand() {
	if o.samples == 0 {
		return
	}
	o.push.Put(push.Body{Data: o.buf, Samples: o.samples})
	o.buf, o.samples = make([]byte, 0, len(o.buf)+len(o.buf)/8), 0
}

// AddLines takes nothing: on a grid every node writes its own.
func (o *Output) AddLines([]byte) {}

// Flush sends all that was added, as far as the server takes it in time.
func (o *Output) Flush(ctx context.Context) error {
	o.give()
	o.push.Flush(ctx)
	return nil
}

// Stop sends what is left, as far as the server takes it in time.
func (o *Output) Stop() error {
	o.give()
	o.push.Close()
	o.client.CloseIdleConnections()
	return nil
}

// send makes one attempt.
func (o *Output) send(ctx context.Context, b push.Body) error {
	if o.cfg.addr.Scheme == "udp" {
		return o.packets(ctx, b.Data)
	}
	if o.plain.Load() {
		return o.write.Post(ctx, o.client, b.Data)
	}
	err := o.write.Post(ctx, o.client, compressed(b.Data), "Content-Encoding", "gzip")
	var status *push.StatusError
	switch {
	case err == nil:
		o.proven.Store(true)
	case !o.proven.Load() && errors.As(err, &status) && (status.Code == http.StatusBadRequest || status.Code == http.StatusUnsupportedMediaType):
		// It may not understand compressed bodies, or it may not like these lines: the same as they are tells which.
		if err = o.write.Post(ctx, o.client, b.Data); err == nil {
			o.plain.Store(true)
		}
	}
	return err
}

// compressed is data by RFC 1952, quickly.
func compressed(data []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(data)/8 + 64)
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level exists
	_, _ = w.Write(data)                              // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

// packets sends lines by UDP: whole lines, as many as a packet's size allows, and one that is larger alone.
func (o *Output) packets(ctx context.Context, lines []byte) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", o.cfg.addr.Host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for len(lines) > 0 {
		end := bytes.LastIndexByte(lines[:min(len(lines), o.cfg.payload)], '\n') + 1
		if end == 0 {
			end = bytes.IndexByte(lines, '\n') + 1
		}
		if _, err := conn.Write(lines[:end]); err != nil {
			return err
		}
		lines = lines[end:]
	}
	return nil
}

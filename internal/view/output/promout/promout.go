package promout

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/snappy"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/view/output/push"
	"throng/internal/view/output/stream"
)

// Output is one server.
type Output struct {
	cfg    *config
	push   *push.Pusher
	post   push.HTTP
	client *http.Client
	extra  []metric.Tag

	mu      sync.Mutex // guards what follows
	series  map[key]*series
	order   []*series // as they were first seen
	w       writer
	samples int64 // in w
}

// key tells series apart. A script with more tag sets than are kept once each has some twice; by then maxSeries is reached.
type key struct {
	m    *metric.Metric
	tags *metric.TagSet
}

// series is a metric under one set of tags, added up since the run began.
type series struct {
	m       *metric.Metric
	labels  labels
	value   float64 // of a counter the sum, of a gauge the last
	count   int64
	trues   int64         // of a rate
	trend   *sketch.Trend // in seconds, if the metric is one of time
	newest  int64         // of its samples, in milliseconds since 1970
	sent    int64         // the time that was sent last
	changed bool
}

// maxSeries bounds the memory of a script with endless tag values. Samples of further series are counted as lost. It is where k6 begins
// to warn.
const maxSeries = 100_000

// maxRequest is the size, before compression, from which a request is complete.
const maxRequest = 512 << 10

// timeout is for one request; k6's.
const timeout = 5 * time.Second

// New reads the settings: the environment's K6_PROMETHEUS_RW_ variables, and arg, which, if it is not empty, is the server's address. It
// opens no connection.
func New(arg string, env stream.Env) (*Output, error) {
	cfg, err := parse(arg, env)
	if err != nil {
		return nil, err
	}
	o := &Output{cfg: cfg, extra: metric.WithTags(nil, append(env.Tags[:len(env.Tags):len(env.Tags)], cfg.labels...)), series: map[key]*series{}}
	o.post = push.HTTP{
		URL: cfg.url, Header: cfg.header, Username: cfg.username, Password: cfg.password, Timeout: timeout,
		TLS: &tls.Config{MinVersion: cfg.minTLS, InsecureSkipVerify: cfg.insecure}, //nolint:gosec // if the user says so
	}
	if cfg.aws.region != "" {
		o.post.Sign = func(req *http.Request, body []byte) { cfg.aws.sign(req, body, time.Now()) }
	}
	// One writer: what is sent later must arrive later.
	o.push = push.New(push.Config{Name: o.Describe(), Send: o.send, Log: env.Log})
	return o, nil
}

// Describe names the output and where it goes, without parameters of the address, which may be secret.
func (o *Output) Describe() string {
	shown := *o.cfg.url
	shown.RawQuery = ""
	return "Prometheus remote write (" + shown.String() + ")"
}

// Start reads the client's certificate, where one was named: on a grid, the node's file. A server that is not there keeps no run from
// beginning.
func (o *Output) Start(stream.Definitions) error {
	if o.cfg.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cfg.cert, o.cfg.key)
		if err != nil {
			return fmt.Errorf("load the client certificate: %w", err)
		}
		o.post.TLS.Certificates = []tls.Certificate{pair}
	}
	o.client = o.post.Client()
	return nil
}

// Run sends what has changed at the push interval until ctx is done. Its error is always nil.
func (o *Output) Run(ctx context.Context) error {
	o.push.RunEvery(ctx, o.cfg.every, func() { o.give(false) })
	return nil
}

// Add adds samples up.
func (o *Output) Add(samples []metric.Sample) {
	o.mu.Lock()
	defer o.mu.Unlock()
	full := int64(0)
	for i := range samples {
		if !o.add(&samples[i]) {
			full++
		}
	}
	if full > 0 {
		o.push.Lose(full, errTooMany)
	}
}

var errTooMany = fmt.Errorf("there are more than %d series, as metrics with different tags are", maxSeries)

func (o *Output) add(sample *metric.Sample) bool {
	id := key{sample.Metric, sample.Tags}
	s := o.series[id]
	if s == nil {
		if len(o.order) >= maxSeries {
			return false
		}
		s = &series{m: sample.Metric, labels: makeLabels(metric.WithTags(sample.Tags.All(), o.extra))}
		if s.m.Kind == metric.Trend {
			s.trend = new(sketch.Trend)
		}
		o.series[id] = s
		o.order = append(o.order, s)
	}
	s.count++
	switch s.m.Kind {
	case metric.Counter:
		s.value += sample.Value
	case metric.Gauge:
		s.value = sample.Value
	case metric.Rate:
		if sample.Value != 0 {
			s.trues++
		}
	case metric.Trend:
		v := sample.Value
		if s.m.Contains == metric.Time {
			v /= 1000
		}
		s.trend.Add(v)
	}
	s.newest = max(s.newest, sample.Time.UnixMilli())
	s.changed = true
	return true
}

// give hands what has changed to be sent. With stale set it marks every series as one that has ended.
func (o *Output) give(stale bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.order {
		if !stale && !s.changed {
			continue
		}
		s.changed = false
		s.sent = max(s.newest, s.sent+1) // two values of one instant would be refused
		o.samples += o.write(s, stale)
		if len(o.w.request) >= maxRequest {
			o.hand()
		}
	}
	o.hand()
}

// staleMarker is the NaN by which Prometheus knows that a series has ended.
var staleMarker = math.Float64frombits(0x7ff0000000000002) // never changed

// write appends a series' state, and returns how many samples of Prometheus that is.
func (o *Output) write(s *series, stale bool) int64 {
	var value float64
	suffix := ""
	switch s.m.Kind {
	case metric.Counter:
		value, suffix = s.value, "_total"
	case metric.Gauge:
		value = s.value
	case metric.Rate:
		value, suffix = float64(s.trues)/float64(s.count), "_rate"
	case metric.Trend:
		return o.writeTrend(s, stale)
	}
	if stale {
		value = staleMarker
	}
	o.w.sample(&s.labels, s.m.Name, suffix, value, s.sent)
	return 1
}

func (o *Output) writeTrend(s *series, stale bool) int64 {
	if o.cfg.native {
		suffix := ""
		if s.m.Contains == metric.Time {
			suffix = "_seconds"
		}
		if stale {
			o.w.sample(&s.labels, s.m.Name, suffix, staleMarker, s.sent)
		} else {
			o.w.histogram(&s.labels, s.m.Name, suffix, s.trend, s.sent)
		}
		return 1
	}
	for _, st := range o.cfg.stats {
		value := staleMarker
		if !stale {
			value = st.of(s.trend)
		}
		o.w.sample(&s.labels, s.m.Name, "_"+st.suffix, value, s.sent)
	}
	return int64(len(o.cfg.stats))
}

// hand gives the request to be sent; o.mu is held.
func (o *Output) hand() {
	if o.samples > 0 {
		o.push.Put(push.Body{Data: snappy.Encode(nil, o.w.request), Samples: o.samples})
	}
	o.w.request, o.samples = o.w.request[:0], 0
}

// last gives what has changed, and says that it is the end if the user wants that said.
func (o *Output) last() {
	o.give(false)
	if o.cfg.stale {
		o.give(true)
	}
}

// AddLines takes nothing: on a grid every node writes its own.
func (o *Output) AddLines([]byte) {}

// Flush sends all that was added, as far as the server takes it in time.
func (o *Output) Flush(ctx context.Context) error {
	o.last()
	o.push.Flush(ctx)
	return nil
}

// Stop sends what is left, as far as the server takes it in time.
func (o *Output) Stop() error {
	o.last()
	o.push.Close()
	if o.client != nil {
		o.client.CloseIdleConnections()
	}
	return nil
}

// send makes one attempt.
func (o *Output) send(ctx context.Context, b push.Body) error {
	return o.post.Post(ctx, o.client, b.Data,
		"Content-Type", "application/x-protobuf", "Content-Encoding", "snappy", "X-Prometheus-Remote-Write-Version", "0.1.0")
}

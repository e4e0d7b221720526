package promout

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/view/output/push"
	"throng/internal/view/output/stream"
)

// prefix is how the variables of this output begin.
const prefix = "K6_PROMETHEUS_RW_"

// config is k6's, with its defaults.
type config struct {
	url                *url.URL
	username, password string
	header             http.Header
	every              time.Duration
	stats              []stat
	native             bool
	stale              bool
	labels             []metric.Tag
	insecure           bool
	minTLS             uint16
	cert, key          string // paths
}

// stat is one number of a trend.
type stat struct {
	suffix string
	of     func(*sketch.Trend) float64
}

// settings are the variables, without their prefix, and what they set.
func (c *config) settings() []setting {
	text := func(to *string) func(string) error {
		return func(s string) error { *to = s; return nil }
	}
	truth := func(to *bool) func(string) error {
		return func(s string) (err error) {
			if *to, err = strconv.ParseBool(s); err != nil {
				err = fmt.Errorf("%q: true or false would be right", s)
			}
			return err
		}
	}
	unsigned := func(string) error {
		return errors.New("requests signed for AWS are not there yet: put a proxy in between that signs them")
	}
	return []setting{
		{"USERNAME", text(&c.username)},
		{"PASSWORD", text(&c.password)},
		{"BEARER_TOKEN", func(s string) error { c.header.Set("Authorization", "Bearer "+s); return nil }},
		{"HTTP_HEADERS", c.setHeaders},
		{"LABELS", c.setLabels},
		{"PUSH_INTERVAL", func(s string) (err error) { c.every, err = push.Interval(s); return err }},
		{"TREND_STATS", c.setStats},
		{"TREND_AS_NATIVE_HISTOGRAM", truth(&c.native)},
		{"STALE_MARKERS", truth(&c.stale)},
		{"INSECURE_SKIP_TLS_VERIFY", truth(&c.insecure)},
		{"TLS_MINIMUM_VERSION", func(s string) error {
			c.minTLS = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[s]
			if c.minTLS == 0 {
				return fmt.Errorf("%q: 1.2 or 1.3 would be right", s)
			}
			return nil
		}},
		{"CLIENT_CERTIFICATE", text(&c.cert)},
		{"CLIENT_CERTIFICATE_KEY", text(&c.key)},
		{"SIGV4_REGION", unsigned}, {"SIGV4_ACCESS_KEY", unsigned}, {"SIGV4_SECRET_KEY", unsigned},
	}
}

type setting struct {
	name string
	set  func(string) error
}

// parse reads the environment. arg, if it is not empty, is the address and counts before the variable.
func parse(arg string, env stream.Env) (*config, error) {
	c := &config{header: http.Header{"User-Agent": {env.UserAgent}}, every: 5 * time.Second, minTLS: tls.VersionTLS13}
	if err := c.setStats("p(99)"); err != nil {
		return nil, err
	}
	addr, from := env.Get(prefix+"SERVER_URL"), prefix+"SERVER_URL: "
	if arg != "" {
		addr, from = arg, ""
	}
	if addr == "" {
		addr = "http://localhost:9090/api/v1/write"
	}
	var user, password string
	var err error
	if c.url, user, password, err = push.ParseURL(addr); err != nil {
		return nil, fmt.Errorf("%s%w", from, err)
	}
	if c.url.Scheme != "http" && c.url.Scheme != "https" || c.url.Host == "" {
		return nil, fmt.Errorf("%san address such as http://localhost:9090/api/v1/write would be right", from)
	}
	for _, s := range c.settings() {
		if value := env.Get(prefix + s.name); value != "" {
			if err := s.set(value); err != nil {
				return nil, fmt.Errorf("%s%s: %w", prefix, s.name, err)
			}
		}
	}
	for _, pair := range env.All() {
		name, value, _ := strings.Cut(pair, "=")
		if key, ok := strings.CutPrefix(name, prefix+"HEADERS_"); ok && key != "" {
			c.header.Set(key, value)
		}
	}
	switch {
	case c.username == "" && user != "":
		c.username, c.password = user, password
	case c.username == "" && c.password != "":
		return nil, fmt.Errorf("%sPASSWORD needs %[1]sUSERNAME", prefix)
	}
	if c.header.Get("Authorization") != "" {
		c.username, c.password = "", ""
	}
	if (c.cert == "") != (c.key == "") {
		return nil, fmt.Errorf("%sCLIENT_CERTIFICATE and %[1]sCLIENT_CERTIFICATE_KEY need one another", prefix)
	}
	return c, nil
}

func (c *config) setHeaders(s string) error {
	for _, pair := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(pair, ":")
		if !ok || strings.TrimSpace(key) == "" {
			return errors.New("key1:value1,key2:value2 would be right (it is not shown because it may hold a password)")
		}
		c.header.Set(strings.TrimSpace(key), strings.TrimSpace(value))
	}
	return nil
}

// setLabels reads key=value pairs. Pairs that are half empty, and the name that Prometheus has reserved, are left out, as in k6.
func (c *config) setLabels(s string) error {
	for _, pair := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%q: key1=value1,key2=value2 would be right", s)
		}
		if key, value = strings.TrimSpace(key), strings.TrimSpace(value); key != "" && value != "" {
			c.labels = append(c.labels, metric.Tag{Key: key, Value: value})
		}
	}
	return nil
}

func (c *config) setStats(s string) error {
	known := map[string]func(*sketch.Trend) float64{
		"count": func(t *sketch.Trend) float64 { return float64(t.Count()) }, "sum": (*sketch.Trend).Sum,
		"min": (*sketch.Trend).Min, "max": (*sketch.Trend).Max, "avg": (*sketch.Trend).Avg,
		"med": func(t *sketch.Trend) float64 { return t.Quantile(0.5) },
	}
	c.stats = nil
	for _, name := range strings.Split(s, ",") {
		name = strings.TrimSpace(name)
		if of := known[name]; of != nil {
			c.stats = append(c.stats, stat{name, of})
			continue
		}
		inner, ok := strings.CutPrefix(name, "p(")
		inner, closed := strings.CutSuffix(inner, ")")
		if !ok || !closed {
			return fmt.Errorf("invalid trend stat '%s': count, sum, min, max, avg, med or p(95) would be right", name)
		}
		p, err := strconv.ParseFloat(inner, 64)
		if err != nil || !(p >= 0 && p <= 100) {
			return fmt.Errorf("invalid percentile trend stat value '%s', provide a number between 0 and 100", name)
		}
		suffix := "p" + strings.ReplaceAll(strconv.FormatFloat(p, 'f', -1, 64), ".", "")
		c.stats = append(c.stats, stat{suffix, func(t *sketch.Trend) float64 { return t.Quantile(p / 100) }})
	}
	return nil
}

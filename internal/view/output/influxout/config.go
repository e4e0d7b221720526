package influxout

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"throng/internal/view/output/push"
	"throng/internal/view/output/stream"
)

// config is k6's, with its defaults.
type config struct {
	addr                   *url.URL // without user, database and settings
	username, password     string
	db                     string
	precision              string
	retention, consistency string
	insecure               bool
	payload                int // bytes of a UDP packet
	fields                 []field
	every                  time.Duration
	writers                int
	proxy                  *url.URL
}

// field is a tag that is written as a field.
type field struct{ key, kind string }

// settings are those that the environment (K6_INFLUXDB_ and the first name) and the address (the second name) can make.
func (c *config) settings() []setting {
	text := func(to *string) func(string) error {
		return func(s string) error { *to = s; return nil }
	}
	return []setting{
		{"USERNAME", "", text(&c.username)},
		{"PASSWORD", "", text(&c.password)},
		{"DB", "", text(&c.db)},
		{"PRECISION", "precision", c.setPrecision},
		{"RETENTION", "retention", text(&c.retention)},
		{"CONSISTENCY", "consistency", text(&c.consistency)},
		{"INSECURE", "insecure", func(s string) (err error) {
			if c.insecure, err = strconv.ParseBool(s); err != nil {
				err = fmt.Errorf("%q: true or false would be right", s)
			}
			return err
		}},
		{"PAYLOAD_SIZE", "payload_size", func(s string) error { return number(s, &c.payload, 64, 65507) }},
		{"CONCURRENT_WRITES", "concurrentWrites", func(s string) error { return number(s, &c.writers, 1, 256) }},
		{"PUSH_INTERVAL", "pushInterval", func(s string) (err error) { c.every, err = push.Interval(s); return err }},
		{"TAGS_AS_FIELDS", "tagsAsFields", c.setFields},
		{"PROXY", "", func(s string) error {
			u, err := url.Parse(s)
			if err != nil || u.Host == "" {
				return errors.New("it is no address of a proxy (it is not shown because it may hold a password)")
			}
			c.proxy = u
			return nil
		}},
	}
}

type setting struct {
	env, query string
	set        func(string) error
}

func number(s string, to *int, least, most int) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return fmt.Errorf("%q: a number from %d to %d would be right", s, least, most)
	}
	*to = n
	return nil
}

// units are the precisions of version 1 of the API, in nanoseconds.
func units() map[string]int64 {
	return map[string]int64{"n": 1, "ns": 1, "u": 1e3, "us": 1e3, "µ": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
}

func (c *config) setPrecision(s string) error {
	if units()[s] == 0 {
		return fmt.Errorf("%q: ns, u, ms, s, m or h would be right", s)
	}
	c.precision = s
	return nil
}

// setFields reads `tag` or `tag:kind`, with commas between them.
func (c *config) setFields(s string) error {
	c.fields = nil
	for _, one := range strings.Split(s, ",") {
		key, kind, typed := strings.Cut(strings.TrimSpace(one), ":")
		switch {
		case key == "":
			continue
		case !typed:
			kind = "string"
		case kind != "string" && kind != "int" && kind != "float" && kind != "bool":
			return fmt.Errorf("%q: a field is a string, int, float or bool", one)
		}
		c.fields = append(c.fields, field{key, kind})
	}
	return nil
}

// parse reads the environment, and then what stands behind `influxdb=`.
func parse(arg string, env stream.Env) (*config, error) {
	c := &config{
		db: "k6", precision: "ns", payload: 512, every: time.Second, writers: 4,
		fields: []field{{"vu", "string"}, {"iter", "string"}, {"url", "string"}},
	}
	addr := env.Get("K6_INFLUXDB_ADDR")
	if addr == "" {
		addr = "http://localhost:8086"
	}
	var user, password string
	var err error
	if c.addr, user, password, err = push.ParseURL(addr); err != nil {
		return nil, fmt.Errorf("K6_INFLUXDB_ADDR: %w", err)
	}
	for _, s := range c.settings() {
		if value := env.Get("K6_INFLUXDB_" + s.env); value != "" {
			if err := s.set(value); err != nil {
				return nil, fmt.Errorf("K6_INFLUXDB_%s: %w", s.env, err)
			}
		}
	}
	if user != "" {
		c.username, c.password = user, password
	}
	if err := c.take(arg); err != nil {
		return nil, err
	}
	switch c.addr.Scheme {
	case "http", "https", "udp":
	default:
		return nil, fmt.Errorf("the address of InfluxDB begins with %q: http://, https:// or udp:// would be right", c.addr.Scheme)
	}
	if c.addr.Host == "" {
		return nil, errors.New("the address of InfluxDB names no host")
	}
	if c.addr.Scheme == "udp" && c.addr.Port() == "" {
		return nil, errors.New("an address of InfluxDB that begins with udp:// needs a port")
	}
	c.addr.RawQuery, c.addr.Fragment = "", ""
	c.addr.Path, c.addr.RawPath = strings.TrimSuffix(c.addr.Path, "/"), ""
	return c, nil
}

// take reads what stands behind `influxdb=`: an address whose path ends in the database, or the name of a database alone.
func (c *config) take(arg string) error {
	if arg == "" {
		return nil
	}
	u, user, password, err := push.ParseURL(arg)
	if err != nil {
		return err
	}
	if u.Scheme == "" && u.Host == "" {
		c.db = strings.TrimPrefix(u.Path, "/")
	} else {
		c.addr = u
		at := strings.LastIndexByte(u.Path, '/')
		if at >= 0 && u.Path[at+1:] != "" {
			c.db, u.Path = u.Path[at+1:], u.Path[:at+1]
		}
	}
	if user != "" {
		c.username, c.password = user, password
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("the settings behind the address's question mark are malformed")
	}
	known := map[string]func(string) error{}
	for _, s := range c.settings() {
		if s.query != "" {
			known[s.query] = s.set
		}
	}
	for key, values := range query {
		set := known[key]
		if set == nil {
			return fmt.Errorf("unknown query parameter: %s", key)
		}
		if err := set(strings.Join(values, ",")); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

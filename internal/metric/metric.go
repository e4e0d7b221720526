package metric

import (
	"fmt"
	"sync"
)

// Kind says how a metric's samples are folded. The names are k6's.
type Kind uint8

// The four kinds of k6 (https://grafana.com/docs/k6, "Metrics").
const (
	Counter Kind = iota // sum
	Gauge               // last value, smallest, largest
	Trend               // distribution
	Rate                // share of non-zero values
)

var kindNames = [...]string{Counter: "counter", Gauge: "gauge", Trend: "trend", Rate: "rate"}

// String is the kind's name in k6's JSON.
func (k Kind) String() string { return kindNames[k] }

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's name.
func (k *Kind) UnmarshalText(b []byte) error {
	for i, n := range kindNames {
		if n == string(b) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("metric kind %q: want counter, gauge, trend or rate", b)
}

// Contains says what a metric's values are, for people and for k6's JSON.
type Contains uint8

// The three contents of k6: plain numbers, milliseconds, bytes.
const (
	Default Contains = iota
	Time
	Data
)

var containsNames = [...]string{Default: "default", Time: "time", Data: "data"}

// String is the content's name in k6's JSON.
func (c Contains) String() string { return containsNames[c] }

// MarshalText writes the content's name.
func (c Contains) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a content's name.
func (c *Contains) UnmarshalText(b []byte) error {
	for i, n := range containsNames {
		if n == string(b) {
			*c = Contains(i)
			return nil
		}
	}
	return fmt.Errorf("metric contents %q: want default, time or data", b)
}

// Metric is one definition. It never changes once registered, so pointers are shared freely.
type Metric struct {
	Name     string
	Kind     Kind
	Contains Contains
}

// Registry holds the definitions of one run. It is safe for concurrent use.
type Registry struct {
	mu     sync.RWMutex
	byName map[string]*Metric
	order  []*Metric
}

// NewRegistry returns an empty registry; see NewBuiltin for the built-in metrics.
func NewRegistry() *Registry { return &Registry{byName: map[string]*Metric{}} }

// validName reports whether k6 takes name for a metric: a letter or _, and then 1 to 128 letters, digits or _. A regular expression
// that counts so far would weigh more than a small runner's virtual users.
func validName(name string) bool {
	if len(name) < 2 || len(name) > 129 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// Define returns the metric of that name, creating it when it is new. A name that k6 would refuse, or one that exists
// with another kind or other contents, is an error.
func (r *Registry) Define(name string, kind Kind, contains Contains) (*Metric, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !validName(name) {
		return nil, fmt.Errorf("Invalid metric name: '%s'. Metric names must only include up to 128 ASCII letters, numbers, or underscores and start with a letter or an underscore.", name) // scripts see this text
	}
	if m, ok := r.byName[name]; ok {
		if m.Kind != kind {
			return nil, fmt.Errorf("metric '%s' already exists but with type %s, instead of %s", name, m.Kind, kind)
		}
		if m.Contains != contains {
			return nil, fmt.Errorf("metric '%s' already exists but with a value type %s, instead of %s", name, m.Contains, contains)
		}
		return m, nil
	}
	m := &Metric{Name: name, Kind: kind, Contains: contains}
	r.byName[name] = m
	r.order = append(r.order, m)
	return m, nil
}

// Get returns the metric of that name, or nil.
func (r *Registry) Get(name string) *Metric {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byName[name]
}

// All returns every metric in the order of definition.
func (r *Registry) All() []*Metric {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return append([]*Metric(nil), r.order...)
}

package meter

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
)

// Config says what samples must be folded into, beside the total of each metric.
type Config struct {
	Builtin *metric.Builtin
	// Submetrics are the parts of metrics that thresholds ask for.
	Submetrics []metric.Selector
	// Parts keeps every metric apart for each group and scenario too, for the full summary.
	Parts bool
	// Raw keeps the samples themselves until Drain takes them.
	Raw bool
}

// Meter is safe for concurrent use. Its state is cut into shards, each with a lock of its own: a virtual user takes any
// shard that is free, so none waits for another, and the memory does not grow with the number of virtual users.
type Meter struct {
	cfg    Config
	subs   map[string][]metric.Selector
	shards []shard

	mu       sync.RWMutex // guards what follows
	series   map[seriesKey]*Series
	requests map[*metric.TagSet]*RequestSeries
	ends     map[*metric.TagSet]*IterationSeries
	known    map[checkKey]*Series
	defs     []def
	byID     map[string]int32 // of sinks: role and selector
	groups   []string
	checks   []metric.Selector
	seq      uint64
}

type seriesKey struct {
	m    *metric.Metric
	tags *metric.TagSet
}

// def says what a sink holds; sink i of every shard belongs to def i.
type def struct {
	role metric.Role
	m    *metric.Metric
	tags []metric.Tag
}

type shard struct {
	mu    sync.Mutex
	sinks []sink
	keeps bool // samples are kept in raw
	raw   []metric.Sample
	taken *sync.Cond // raw was drained
	late  *lateness
	_     [64]byte // keep neighbours off this cache line
}

type sink struct {
	sum, last, min, max float64
	lastAt              int64
	trues, count        int64
	trend               *sketch.Trend
}

type lateness struct{ start, fromDue, fromSend sketch.Trend }

// maxSeries bounds the cache of resolved tag sets. Beyond it the cache starts afresh; nothing measured is lost.
const maxSeries = 1 << 16

// maxRaw bounds the samples that one shard keeps for the outputs. A virtual user that finds its shard full waits until
// they are taken: the run slows down rather than losing samples or memory.
const maxRaw = 1 << 17

// Series is a metric and a tag set, resolved to everything that their samples must be folded into.
type Series struct {
	m     *metric.Metric
	tags  *metric.TagSet
	sinks []int32
}

// New returns an empty meter.
func New(cfg Config) *Meter {
	m := &Meter{
		cfg: cfg, subs: map[string][]metric.Selector{},
		series: map[seriesKey]*Series{}, requests: map[*metric.TagSet]*RequestSeries{},
		ends: map[*metric.TagSet]*IterationSeries{}, known: map[checkKey]*Series{}, byID: map[string]int32{},
		shards: make([]shard, shardCount(runtime.GOMAXPROCS(0))),
	}
	for i := range m.shards {
		m.shards[i].taken, m.shards[i].keeps = sync.NewCond(&m.shards[i].mu), cfg.Raw
	}
	expected := metric.Selector{Metric: "http_req_duration", Tags: []metric.Tag{{Key: "expected_response", Value: "true"}}}
	for _, s := range append([]metric.Selector{expected}, cfg.Submetrics...) {
		known := func(o metric.Selector) bool { return o.ID() == s.ID() } // two spellings are one part, counted once
		if len(s.Tags) > 0 && !slices.ContainsFunc(m.subs[s.Metric], known) {
			m.subs[s.Metric] = append(m.subs[s.Metric], s)
		}
	}
	return m
}

// shardCount is the power of two that leaves every processor two shards to choose from; one processor needs one.
func shardCount(procs int) int {
	n := 1
	for procs > 1 && n < 2*procs {
		n *= 2
	}
	return n
}

// Series returns the series of mt and tags. Keep it where the same pair comes again: finding it costs a lock.
func (m *Meter) Series(mt *metric.Metric, tags *metric.TagSet) *Series {
	key := seriesKey{mt, tags}
	m.mu.RLock()
	s := m.series[key]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.resolve(mt, tags)
}

// checkKey is a check as a virtual user meets it: its name, and the tags that are in force.
type checkKey struct {
	tags *metric.TagSet
	name string
}

// KnownCheck returns what KeepCheck was given for the check called name under these tags, or nil.
func (m *Meter) KnownCheck(tags *metric.TagSet, name string) *Series {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.known[checkKey{tags, name}]
}

// KeepCheck lets all virtual users share the series of a check.
func (m *Meter) KeepCheck(tags *metric.TagSet, name string, s *Series) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= maxSeries {
		clear(m.known)
	}
	m.known[checkKey{tags, name}] = s
}

// CheckSeries returns the series of one check: what Series returns for metric checks, and the check's own count in its
// group. As in k6 a check whose tags do not name it has none, and one whose tags name no group is in none, not even the root.
func (m *Meter) CheckSeries(tags *metric.TagSet, name string) *Series {
	mt := m.cfg.Builtin.Checks
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, named := tags.Get("check"); !named {
		return m.resolve(mt, tags)
	}
	part := []metric.Tag{{Key: "check", Value: name}}
	group, grouped := tags.Get("group")
	if grouped {
		part = append(part, metric.Tag{Key: "group", Value: group})
	}
	s := &Series{m: mt, tags: tags, sinks: slices.Clone(m.resolve(mt, tags).sinks)}
	n := len(m.defs)
	s.sinks = append(s.sinks, m.sink(metric.CheckPart, mt, part))
	if len(m.defs) > n {
		m.checks = append(m.checks, metric.Selector{Metric: mt.Name, Tags: part})
		if group != "" && !slices.Contains(m.groups, group) { // ::setup and its like are no groups until they hold a check
			m.groups = append(m.groups, group)
		}
	}
	if scenario, ok := tags.Get("scenario"); ok && m.cfg.Parts {
		s.sinks = append(s.sinks, m.sink(metric.ScenarioCheck, mt, append(slices.Clone(part), metric.Tag{Key: "scenario", Value: scenario})))
	}
	return s
}

// Group notes that the group at path was entered.
func (m *Meter) Group(path string) {
	m.mu.RLock()
	known := slices.Contains(m.groups, path)
	m.mu.RUnlock()
	if known {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.groups, path) {
		m.groups = append(m.groups, path)
	}
}

// resolve finds or makes a series; m.mu is held.
func (m *Meter) resolve(mt *metric.Metric, tags *metric.TagSet) *Series {
	key := seriesKey{mt, tags}
	if s := m.series[key]; s != nil {
		return s
	}
	s := &Series{m: mt, tags: tags, sinks: []int32{m.sink(metric.Total, mt, nil)}}
	for _, sub := range m.subs[mt.Name] {
		if tags.Contains(sub.Tags) {
			s.sinks = append(s.sinks, m.sink(metric.Submetric, mt, sub.Tags))
		}
	}
	if m.cfg.Parts {
		scenario, ok := tags.Get("scenario")
		if v, grouped := tags.Get("group"); grouped && v != "" {
			part := []metric.Tag{{Key: "group", Value: v}}
			if ok {
				part = append(part, metric.Tag{Key: "scenario", Value: scenario})
			}
			s.sinks = append(s.sinks, m.sink(metric.GroupPart, mt, part))
		}
		if ok {
			s.sinks = append(s.sinks, m.sink(metric.ScenarioPart, mt, []metric.Tag{{Key: "scenario", Value: scenario}}))
		}
	}
	if len(m.series) >= maxSeries {
		clear(m.series)
	}
	m.series[key] = s
	return s
}

// sink returns the index of the sink for that part of mt; m.mu is held.
func (m *Meter) sink(role metric.Role, mt *metric.Metric, tags []metric.Tag) int32 {
	id := string(rune('0'+role)) + metric.Selector{Metric: mt.Name, Tags: tags}.ID()
	if i, ok := m.byID[id]; ok {
		return i
	}
	i := int32(len(m.defs))
	m.byID[id] = i
	m.defs = append(m.defs, def{role, mt, tags})
	return i
}

// Add folds one value. shard is any number that differs between virtual users; meta goes to raw samples only.
func (m *Meter) Add(shard uint32, s *Series, v float64, at time.Time, meta map[string]string) {
	sh := m.lock(shard)
	sh.add(s, v, at, meta)
	sh.mu.Unlock()
}

// lock returns a locked shard: the virtual user's own, or else the next that is free.
func (m *Meter) lock(hint uint32) *shard {
	mask := uint32(len(m.shards) - 1)
	for i := range mask + 1 {
		if sh := &m.shards[(hint+i)&mask]; sh.mu.TryLock() {
			return sh
		}
	}
	sh := &m.shards[hint&mask]
	sh.mu.Lock()
	return sh
}

// add folds one sample. The shard is locked.
func (sh *shard) add(s *Series, v float64, at time.Time, meta map[string]string) {
	for _, i := range s.sinks {
		sh.sink(int(i)).fold(s.m.Kind, v, at)
	}
	if sh.keeps {
		sh.keep(s, v, at, meta)
	}
}

func (k *sink) fold(kind metric.Kind, v float64, at time.Time) {
	k.count++
	switch kind {
	case metric.Counter:
		k.sum += v
	case metric.Rate:
		if v != 0 {
			k.trues++
		}
	case metric.Trend:
		if k.trend == nil {
			k.trend = new(sketch.Trend)
		}
		k.trend.Add(v)
	case metric.Gauge:
		if k.count == 1 || v < k.min {
			k.min = v
		}
		if k.count == 1 || v > k.max {
			k.max = v
		}
		if ns := at.UnixNano(); ns >= k.lastAt {
			k.last, k.lastAt = v, ns
		}
	}
}

func (sh *shard) sink(i int) *sink {
	if i < len(sh.sinks) {
		return &sh.sinks[i]
	}
	return sh.another(i)
}

// another makes room for the i-th sink.
//
//go:noinline
func (sh *shard) another(i int) *sink {
	sh.sinks = append(sh.sinks, make([]sink, i+1-len(sh.sinks))...)
	return &sh.sinks[i]
}

func (sh *shard) keep(s *Series, v float64, at time.Time, meta map[string]string) {
	for len(sh.raw) >= maxRaw {
		sh.taken.Wait()
	}
	sh.raw = append(sh.raw, metric.Sample{Metric: s.m, Time: at, Value: v, Tags: s.tags, Metadata: meta})
}

// Drain takes the raw samples kept since the last call, in the order of their times.
func (m *Meter) Drain() []metric.Sample {
	var all []metric.Sample
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.Lock()
		all = append(all, sh.raw...)
		sh.raw = nil
		sh.taken.Broadcast()
		sh.mu.Unlock()
	}
	slices.SortStableFunc(all, func(a, b metric.Sample) int { return a.Time.Compare(b.Time) })
	return all
}

// Raw reports whether samples are kept for Drain.
func (m *Meter) Raw() bool { return m.cfg.Raw }

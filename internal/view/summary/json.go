package summary

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"time"

	"throng/internal/metric"
)

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := encode(m.key)
		if err != nil {
			return nil, err
		}
		value, err := encode(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode is json.Marshal that leaves <, > and & alone: thresholds are keys.
func encode(v any) ([]byte, error) {
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return []byte("null"), nil // as ECMAScript does
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func indented(v any) ([]byte, error) {
	flat, err := encode(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, flat, "", "    "); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Data is what handleSummary is given (https://grafana.com/docs/k6, "Custom summary").
func Data(r Report) ([]byte, error) {
	options := object{{"summaryTrendStats", r.stats()}, {"summaryTimeUnit", r.TimeUnit}, {"noColor", r.NoColor}}
	state := object{{"isStdOutTTY", r.StdoutTTY}, {"isStdErrTTY", r.StderrTTY}, {"testRunDurationMs", float64(r.Elapsed) / float64(time.Millisecond)}}
	metrics := object{}
	for _, e := range r.flat() {
		m := object{{"type", e.Kind.String()}, {"contains", e.Contains.String()}, {"values", r.values(e.Series, "rate")}}
		if len(e.verdicts) > 0 {
			t := object{}
			for _, v := range e.verdicts {
				t = append(t, member{v.Rule.Source, object{{"ok", !v.Crossed}}})
			}
			m = append(m, member{"thresholds", t})
		}
		metrics = append(metrics, member{e.name, m})
	}
	data := object{{"root_group", r.rootGroup(false)}, {"options", options}, {"state", state}, {"metrics", metrics}}
	if r.SetupData != nil {
		data = append(data, member{"setup_data", json.RawMessage(r.SetupData)})
	}
	return encode(data)
}

// values are a series' numbers; share names that of a rate's passes.
func (r Report) values(s metric.Series, shareName string) object {
	switch s.Kind {
	case metric.Counter:
		return object{{"count", s.Sum}, {"rate", r.perSecond(s.Sum)}}
	case metric.Gauge:
		return object{{"value", s.Last}, {"min", s.Min}, {"max", s.Max}}
	case metric.Rate:
		return object{{shareName, share(s.Trues, s.Count)}, {"passes", s.Trues}, {"fails", s.Count - s.Trues}}
	}
	out := object{}
	for _, name := range r.stats() {
		if v, ok := stat(s.Trend, name); ok {
			out = append(out, member{name, v})
		}
	}
	return out
}

// Export is the file of --summary-export. Its thresholds say true where one was crossed.
func Export(r Report) ([]byte, error) {
	metrics := object{}
	for _, e := range r.flat() {
		m := r.values(e.Series, "value")
		if len(e.verdicts) > 0 {
			t := object{}
			for _, v := range e.verdicts {
				t = append(t, member{v.Rule.Source, v.Crossed})
			}
			m = append(m, member{"thresholds", t})
		}
		metrics = append(metrics, member{e.name, m})
	}
	out := object{{"root_group", r.rootGroup(true)}, {"metrics", metrics}}
	if r.SetupData != nil {
		out = append(out, member{"setup_data", json.RawMessage(r.SetupData)})
	}
	return indented(out)
}

// rootGroup is the tree of groups and checks, in the order in which the run came upon them: as lists, or named, as maps.
func (r Report) rootGroup(named bool) object {
	var root node
	for _, g := range r.Snapshot.Groups {
		if g != "" {
			root.at(g)
		}
	}
	checks := map[string][]check{}
	for _, c := range r.checks(metric.CheckPart, func(s metric.Selector) bool { _, grouped := s.Tag("group"); return grouped }) {
		if c.group != "" {
			root.at(c.group)
		}
		checks[c.group] = append(checks[c.group], c)
	}
	return root.object(checks, named)
}

func (n *node) object(checks map[string][]check, named bool) object {
	groupList, checkList := []object{}, []object{}
	groupMap, checkMap := object{}, object{}
	for _, c := range n.children {
		o := c.object(checks, named)
		groupList, groupMap = append(groupList, o), append(groupMap, member{c.name, o})
	}
	for _, c := range checks[n.path] {
		path := n.path + "::" + c.name
		o := object{{"name", c.name}, {"path", path}, {"id", id(path)}, {"passes", c.passes}, {"fails", c.fails}}
		checkList, checkMap = append(checkList, o), append(checkMap, member{c.name, o})
	}
	head := object{{"name", n.name}, {"path", n.path}, {"id", id(n.path)}}
	if named {
		return append(head, member{"groups", groupMap}, member{"checks", checkMap})
	}
	return append(head, member{"groups", groupList}, member{"checks", checkList})
}

// id is how k6 names a group or check: the MD5 of its path. It protects nothing.
func id(path string) string {
	sum := md5.Sum([]byte(path))
	return hex.EncodeToString(sum[:])
}

// Machine is the report of --new-machine-readable-summary, schema 1.0.0, for files; MachineData is the same for
// handleSummary.
func Machine(r Report) ([]byte, error) { return indented(r.machine()) }

// MachineData is Machine without indentation.
func MachineData(r Report) ([]byte, error) { return encode(r.machine()) }

func (r Report) machine() object {
	results := object{{"checks", r.machineChecks()}}
	bySection := make([][]object, len(sections))
	for _, e := range r.flat() {
		if i := sectionOf(e.Metric, r.Full); i >= 0 {
			bySection[i] = append(bySection[i], object{
				{"contains", e.Contains.String()}, {"name", e.name}, {"type", e.Kind.String()}, {"values", r.machineValues(e.Series)},
			})
		}
	}
	list := []object{}
	for _, s := range append(bySection[1:len(bySection):len(bySection)], bySection[0]) { // custom metrics last
		list = append(list, s...)
	}
	results = append(results, member{"metrics", list})
	return object{
		{"config", object{{"duration", r.Elapsed.Seconds()}, {"execution", "local"}, {"script", r.Script}}},
		{"metadata", object{{"generated_at", r.GeneratedAt.UTC().Format(time.RFC3339Nano)}, {"k6_version", r.Version}}},
		{"results", results},
		{"version", "1.0.0"},
	}
}

func (r Report) machineChecks() object {
	checks := r.checks(metric.CheckPart, func(metric.Selector) bool { return true })
	var passes, count int64
	list := []object{}
	at := map[string]int{}
	var merged []check
	for _, c := range checks {
		passes, count = passes+c.passes, count+c.passes+c.fails
		if i, known := at[c.name]; known {
			merged[i].passes += c.passes
			merged[i].fails += c.fails
			continue
		}
		at[c.name] = len(merged)
		merged = append(merged, c)
	}
	for _, c := range merged {
		list = append(list, object{{"fails", c.fails}, {"name", c.name}, {"passes", c.passes}})
	}
	if count == 0 {
		return object{{"metrics", []object{}}, {"results", list}}
	}
	one := func(name, kind string, values object) object {
		return object{{"contains", "default"}, {"name", name}, {"type", kind}, {"values", values}}
	}
	rate := func(n int64) object {
		return object{{"matches", n}, {"rate", share(n, count)}, {"total", count}}
	}
	return object{{"metrics", []object{
		one("checks_total", "counter", object{{"count", count}}),
		one("checks_failed", "rate", rate(count-passes)),
		one("checks_succeeded", "rate", rate(passes)),
	}}, {"results", list}}
}

func (r Report) machineValues(s metric.Series) object {
	switch s.Kind {
	case metric.Counter:
		return object{{"count", s.Sum}}
	case metric.Gauge:
		return object{{"max", s.Max}, {"min", s.Min}, {"value", s.Last}}
	case metric.Rate:
		return object{{"matches", s.Trues}, {"rate", share(s.Trues, s.Count)}, {"total", s.Count}}
	}
	asked := map[string]bool{}
	for _, name := range r.stats() {
		asked[name] = true
	}
	out := object{}
	for _, name := range [...]string{"avg", "max", "med", "min", "p(90)", "p(95)"} {
		var value any // null: not asked for
		if v, ok := stat(s.Trend, name); ok && asked[name] {
			value = v
		}
		out = append(out, member{strings.NewReplacer("(", "", ")", "").Replace(name), value})
	}
	return out
}

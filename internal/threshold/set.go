package threshold

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"throng/internal/metric"
)

// Rule is a Threshold with its expression understood.
type Rule struct {
	Threshold
	Expression Expression
}

// Entry holds the rules that stand under one key.
type Entry struct {
	Name     string // the key, white space at the ends of the braces gone: metric or metric{tag:value}
	Selector metric.Selector
	Kind     metric.Kind // of the metric; Resolve fills it in
	Contains metric.Contains
	Rules    []Rule // in the order written
}

// Set is all thresholds of a run, in order of name. The zero Set has none.
type Set struct{ Entries []Entry }

// ParseSet understands every expression and every key. It reports everything that is wrong, each error once.
func ParseSet(m map[string][]Threshold) (Set, error) {
	var set Set
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(m)) {
		sel, err := ParseKey(key)
		if err != nil {
			errs = append(errs, fmt.Errorf("unable to validate threshold expressions; reason: %w", err))
			continue
		}
		entry := Entry{Name: sel.Metric, Selector: sel}
		if at := strings.IndexByte(key, '{'); at >= 0 { // as written inside: the name is what reports and scripts look up
			entry.Name += "{" + strings.TrimSpace(key[at+1:len(key)-1]) + "}"
		}
		for _, t := range m[key] {
			e, err := Parse(t.Source)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			entry.Rules = append(entry.Rules, Rule{Threshold: t, Expression: e})
		}
		set.Entries = append(set.Entries, entry)
	}
	return set, errors.Join(errs...)
}

// Resolve returns the Set with the kinds of its metrics filled in, which Judge needs. It reports every metric that lookup
// does not know (lookup returns nil) and every method that does not fit its metric's kind.
func (s Set) Resolve(lookup func(name string) *metric.Metric) (Set, error) {
	out := Set{Entries: slices.Clone(s.Entries)}
	var errs []error
	for i := range out.Entries {
		e := &out.Entries[i]
		m := lookup(e.Selector.Metric)
		if m == nil {
			errs = append(errs, fmt.Errorf("invalid threshold defined on %s; reason: no metric name %q found", e.Name, e.Name))
			continue
		}
		e.Kind, e.Contains = m.Kind, m.Contains
		for _, r := range e.Rules {
			if known := Methods(m.Kind); !slices.Contains(known, r.Expression.Method) {
				errs = append(errs, fmt.Errorf(
					"invalid threshold %q applied on metric %s; reason: unsupported aggregation method %s on metric of type %s. "+
						"supported aggregation methods for this metric are: %s",
					r.Source, e.Name, r.Expression.Method, m.Kind, strings.Join(known, ", ")))
			}
		}
	}
	return out, errors.Join(errs...)
}

// Submetrics are the selectors with tags: what must be folded beside the whole metrics so that Judge finds it.
func (s Set) Submetrics() []metric.Selector {
	var out []metric.Selector
	for _, e := range s.Entries {
		if len(e.Selector.Tags) > 0 {
			out = append(out, e.Selector)
		}
	}
	return out
}

// Aborts reports whether any rule may stop the run.
func (s Set) Aborts() bool {
	for _, e := range s.Entries {
		for _, r := range e.Rules {
			if r.AbortOnFail {
				return true
			}
		}
	}
	return false
}

// Verdict is what became of one rule.
type Verdict struct {
	Name     string // of the Entry
	Selector metric.Selector
	Kind     metric.Kind
	Contains metric.Contains
	Rule     Rule
	Value    float64 // what the rule's method gave
	Crossed  bool
}

// Verdicts are those of a whole Set, in its order.
type Verdicts struct {
	All   []Verdict
	Abort bool // a crossed rule has abortOnFail, and its delay is over
}

// Crossed are the names of the entries with a crossed rule, in order, each once.
func (v Verdicts) Crossed() []string {
	var out []string
	for _, one := range v.All {
		if one.Crossed && (len(out) == 0 || out[len(out)-1] != one.Name) {
			out = append(out, one.Name)
		}
	}
	return out
}

// Judge judges every rule by snap, measured over elapsed since the run began. While the run goes on (over is false) a
// metric without samples crosses nothing; at the end counters, gauges and trends without samples count as 0, and a rate
// without samples satisfies whatever is asked, as in k6.
func (s Set) Judge(snap metric.Snapshot, elapsed time.Duration, over bool) Verdicts {
	var out Verdicts
	if len(s.Entries) == 0 {
		return out
	}
	found := make(map[string]*metric.Series, len(snap.Series))
	for i := range snap.Series {
		if r := snap.Series[i].Role; r == metric.Total || r == metric.Submetric {
			found[snap.Series[i].ID()] = &snap.Series[i]
		}
	}
	for _, e := range s.Entries {
		series := metric.Series{Kind: e.Kind}
		if p := found[e.Selector.ID()]; p != nil {
			series = *p
		}
		for _, r := range e.Rules {
			v := Verdict{Name: e.Name, Selector: e.Selector, Kind: e.Kind, Contains: e.Contains, Rule: r, Value: r.Expression.Value(series, elapsed)}
			v.Crossed = !r.Expression.Holds(v.Value)
			if series.Count == 0 && (!over || e.Kind == metric.Rate) {
				v.Crossed = false
			}
			out.Abort = out.Abort || v.Crossed && r.AbortOnFail && elapsed >= r.DelayAbortEval
			out.All = append(out.All, v)
		}
	}
	return out
}

// Message is what the log says at the end of a run with crossed thresholds, or when one of them stops it; "" when none is
// crossed.
func (v Verdicts) Message(stopping bool) string {
	crossed := v.Crossed()
	if len(crossed) == 0 {
		return ""
	}
	names := strings.Join(crossed, ", ")
	if stopping {
		return "thresholds on metrics '" + names + "' were crossed; at least one has abortOnFail enabled, stopping test prematurely"
	}
	return "thresholds on metrics '" + names + "' have been crossed"
}

package k6core

import (
	"errors"
	"strings"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/metric"
)

var (
	errGroupInInit  = errors.New("Using group() in the init context is not supported") // scripts see this text
	errNoCallback   = errors.New("group() requires a callback as a second argument")
	errAsyncInGroup = errors.New("group() does not support async functions as arguments: what follows an await would count outside of the group (https://grafana.com/docs/k6/latest/javascript-api/k6/group/)")
)

// groupEntry is what one group means when it is entered with one set of tags.
type groupEntry struct {
	path string
	tags *metric.TagSet // inside the group
}

type groupKey struct {
	tags *metric.TagSet // outside of the group
	path string         // of the group outside
	name string
}

// group runs a function inside a group. The tag is what counts: a script that has changed it goes on from there.
func (m *module) group(call sobek.FunctionCall) sobek.Value {
	vu := m.vu
	if vu.Phase == scope.Init {
		vu.Throw(errGroupInInit)
	}
	fn, ok := sobek.AssertFunction(call.Argument(1))
	if !ok {
		vu.Throw(errNoCallback)
	}
	if m.isAsync(call.Argument(1).(*sobek.Object)) {
		vu.Throw(errAsyncInGroup)
	}
	outer, tagged := vu.Group, vu.Test.SystemTags.Group
	if tagged {
		outer, _ = vu.Tags.Get("group")
	}
	g := m.enter(scope.Text(call.Argument(0)), outer, tagged)
	vu.Group, vu.Tags = g.path, g.tags
	start := time.Now()

	val, thrown := fn(sobek.Undefined())

	end := time.Now()
	ms := float64(end.Sub(start)) / float64(time.Millisecond)
	// The group's duration has the tags that were set inside, but always its own group.
	m.addDuration(vu.Test.Meter.Series(vu.Test.Builtin.GroupDuration, m.regroup(g.path, tagged)), ms, end)
	vu.Group, vu.Tags = outer, m.regroup(outer, tagged)
	if thrown != nil {
		scope.Rethrow(thrown)
	}
	return val
}

func (m *module) addDuration(s *meter.Series, ms float64, at time.Time) {
	m.vu.Test.Meter.Add(m.vu.Shard, s, ms, at, m.vu.Metadata)
}

// regroup returns the present tags with the group tag set to path.
func (m *module) regroup(path string, tagged bool) *metric.TagSet {
	if !tagged {
		return m.vu.Tags
	}
	return m.vu.Tags.With("group", path)
}

func (m *module) enter(name, outer string, tagged bool) *groupEntry {
	vu := m.vu
	key := groupKey{vu.Tags, outer, name}
	if g := m.groups[key]; g != nil {
		return g
	}
	if strings.Contains(name, "::") {
		vu.Throw(errSeparator)
	}
	path := outer + "::" + name
	if path == "::" {
		path = "" // k6: an unnamed group outside of all is no group
	}
	g := &groupEntry{path: path, tags: m.regroup(path, tagged)}
	if tagged { // else the report has no place for it, as in k6
		vu.Test.Meter.Group(path)
	}
	if m.groups == nil || len(m.groups) >= maxCached {
		m.groups = map[groupKey]*groupEntry{}
	}
	m.groups[key] = g
	return g
}

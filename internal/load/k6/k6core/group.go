package k6core

import (
	_ "embed" // for group.js
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

//go:embed group.js
var groupSource string

// groupFunction makes group().
func (m *module) groupFunction() sobek.Value {
	d := &door{m: m}
	m.vu.OnIterationStart = append(m.vu.OnIterationStart, d.reset)
	return m.vu.Build("throng:group.js", groupSource, m.vu.Runtime.NewDynamicObject(d))
}

// door is what group.js sees of a virtual user.
type door struct {
	m     *module
	name  string // of the group that is about to be entered
	rooms []room // that were entered, the innermost last
}

// room is one call of group().
type room struct {
	path, outer string
	start       time.Time
}

// Set implements sobek.DynamicObject.
func (d *door) Set(key string, v sobek.Value) bool {
	switch key {
	case "name":
		if d.m.vu.Phase == scope.Init {
			d.m.vu.Throw(errGroupInInit)
		}
		d.name = scope.Text(v)
	case "inside":
		d.open(v)
	}
	return true
}

// Get implements sobek.DynamicObject.
func (d *door) Get(key string) sobek.Value {
	if key == "leave" {
		d.leave()
	}
	return sobek.Undefined()
}

// Has implements sobek.DynamicObject.
func (d *door) Has(string) bool { return true }

// Delete implements sobek.DynamicObject.
func (d *door) Delete(string) bool { return false }

// Keys implements sobek.DynamicObject.
func (d *door) Keys() []string { return nil }

// open enters the group. The tag is what counts: a script that has changed it goes on from there.
func (d *door) open(inside sobek.Value) {
	m, vu := d.m, d.m.vu
	if _, ok := sobek.AssertFunction(inside); !ok {
		vu.Throw(errNoCallback)
	}
	if m.isAsync(inside.(*sobek.Object)) {
		vu.Throw(errAsyncInGroup)
	}
	outer, tagged := vu.Group, vu.Test.SystemTags.Group
	if tagged {
		outer, _ = vu.Tags.Get("group")
	}
	g := m.enter(d.name, outer, tagged)
	vu.Group, vu.Tags = g.path, g.tags
	d.rooms = append(d.rooms, room{path: g.path, outer: outer, start: time.Now()})
}

// leave ends the innermost group. Its duration has the tags that were set inside, but always its own group.
func (d *door) leave() {
	m, vu := d.m, d.m.vu
	r := d.rooms[len(d.rooms)-1]
	d.rooms = d.rooms[:len(d.rooms)-1]
	tagged, end := vu.Test.SystemTags.Group, time.Now()
	ms := float64(end.Sub(r.start)) / float64(time.Millisecond)
	m.addDuration(vu.Test.Meter.Series(vu.Test.Builtin.GroupDuration, m.regroup(r.path, tagged)), ms, end)
	vu.Group, vu.Tags = r.outer, m.regroup(r.outer, tagged)
}

// reset leaves what an iteration that was cut off was inside of: nothing of the script runs then, not even finally.
func (d *door) reset() {
	if len(d.rooms) == 0 {
		return
	}
	outer := d.rooms[0].outer
	d.rooms = d.rooms[:0]
	d.m.vu.Group, d.m.vu.Tags = outer, d.m.regroup(outer, d.m.vu.Test.SystemTags.Group)
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

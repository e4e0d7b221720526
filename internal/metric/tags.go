package metric

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Tag is one name and its value.
type Tag struct{ Key, Value string }

// Tags interns tag sets: equal sets are one pointer, so a set is a cheap map key. It is safe for concurrent use.
// Beyond maxTagSets a new set is made afresh each time: equal, but not the same pointer, so that a script with endless
// tag values costs time and not memory.
type Tags struct {
	mu       sync.RWMutex
	children map[childKey]*TagSet
	sets     map[string]*TagSet
	root     *TagSet
}

const maxTagSets = 1 << 18

type childKey struct {
	parent     *TagSet
	key, value string
}

// NewTags returns a table that holds only the empty set.
func NewTags() *Tags {
	t := &Tags{children: map[childKey]*TagSet{}, sets: map[string]*TagSet{}}
	t.root = &TagSet{table: t}
	t.sets[""] = t.root
	return t
}

// Empty returns the set without tags.
func (t *Tags) Empty() *TagSet { return t.root }

// From returns the set with the tags of m.
func (t *Tags) From(m map[string]string) *TagSet {
	tags := make([]Tag, 0, len(m))
	for k, v := range m {
		tags = append(tags, Tag{k, v})
	}
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return t.intern(tags)
}

// Of returns the set with these tags; of two with one key the later counts.
func (t *Tags) Of(tags ...Tag) *TagSet {
	s := t.root
	for _, tag := range tags {
		s = s.With(tag.Key, tag.Value)
	}
	return s
}

func (t *Tags) intern(sorted []Tag) *TagSet {
	id := identity(sorted)
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.sets[id]; ok {
		return s
	}
	s := &TagSet{table: t, tags: sorted}
	if len(t.sets) < maxTagSets {
		t.sets[id] = s
	}
	return s
}

// identity is a text that no two different lists share. Lengths stand before the words because scripts may put any
// character into a tag, so none can serve to keep words apart.
func identity(sorted []Tag) string {
	var b []byte
	for _, tag := range sorted {
		b = strconv.AppendInt(b, int64(len(tag.Key)), 10)
		b = append(append(b, ':'), tag.Key...)
		b = strconv.AppendInt(b, int64(len(tag.Value)), 10)
		b = append(append(b, ':'), tag.Value...)
	}
	return string(b)
}

// TagSet is an immutable set of tags, sorted by key. A nil one reads as empty, but only a Tags table can add to one.
type TagSet struct {
	table *Tags
	tags  []Tag
}

// With returns the set with key set to value.
func (s *TagSet) With(key, value string) *TagSet {
	t := s.table
	ck := childKey{s, key, value}
	t.mu.RLock()
	child, ok := t.children[ck]
	t.mu.RUnlock()
	if ok {
		return child
	}
	i, found := s.find(key)
	if found && s.tags[i].Value == value {
		return s
	}
	tags := slices.Clone(s.tags)
	if found {
		tags[i].Value = value
	} else {
		tags = slices.Insert(tags, i, Tag{key, value})
	}
	child = t.intern(tags)
	t.mu.Lock()
	if len(t.children) < maxTagSets {
		t.children[ck] = child
	}
	t.mu.Unlock()
	return child
}

// Without returns the set without key.
func (s *TagSet) Without(key string) *TagSet {
	i, found := s.find(key)
	if !found {
		return s
	}
	return s.table.intern(slices.Delete(slices.Clone(s.tags), i, i+1))
}

// Get returns the value of key and whether it is there.
func (s *TagSet) Get(key string) (string, bool) {
	if s == nil {
		return "", false
	}
	if i, ok := s.find(key); ok {
		return s.tags[i].Value, true
	}
	return "", false
}

func (s *TagSet) find(key string) (int, bool) { return find(s.tags, key) }

// Contains reports whether every tag of other is in s with the same value.
func (s *TagSet) Contains(other []Tag) bool {
	for _, t := range other {
		if v, ok := s.Get(t.Key); !ok || v != t.Value {
			return false
		}
	}
	return true
}

// All returns the tags sorted by key; they must not be changed.
func (s *TagSet) All() []Tag {
	if s == nil {
		return nil
	}
	return s.tags
}

// Map returns a fresh map with the tags.
func (s *TagSet) Map() map[string]string {
	m := make(map[string]string, len(s.All()))
	for _, t := range s.All() {
		m[t.Key] = t.Value
	}
	return m
}

// WithTags returns tags, which are sorted by key, with those of more added whose keys are not among them yet, in order. Neither list is
// changed.
func WithTags(tags, more []Tag) []Tag {
	for _, t := range more {
		if i, found := find(tags, t.Key); !found {
			tags = slices.Insert(slices.Clone(tags), i, t)
		}
	}
	return tags
}

func find(tags []Tag, key string) (int, bool) {
	return slices.BinarySearchFunc(tags, key, func(t Tag, k string) int { return strings.Compare(t.Key, k) })
}

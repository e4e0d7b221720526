package metric

import (
	"slices"
	"strings"
)

// String is the selector as k6 writes it: metric{key:value,key2:value2}, tags in the order they stand.
func (s Selector) String() string {
	if len(s.Tags) == 0 {
		return s.Metric
	}
	return s.Metric + "{" + s.Suffix() + "}"
}

// Suffix is what stands between the braces of String.
func (s Selector) Suffix() string {
	var b strings.Builder
	for i, t := range s.Tags {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(t.Key)
		b.WriteByte(':')
		b.WriteString(t.Value)
	}
	return b.String()
}

// ID is the same for selectors of the same samples, whatever the order of their tags: a key for maps, not for people.
func (s Selector) ID() string {
	tags := s.Tags
	if len(tags) == 0 {
		return s.Metric
	}
	byKey := func(a, b Tag) int { return strings.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(tags, byKey) {
		tags = slices.Clone(tags)
		slices.SortStableFunc(tags, byKey)
	}
	return s.Metric + "\x00" + identity(tags)
}

// Tag returns the value of key and whether it is there.
func (s Selector) Tag(key string) (string, bool) {
	for _, t := range s.Tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

package metric

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// words are what random tags are made of: few, so that sets often meet, and some that a careless key could confuse.
var words = []string{"", "a", "b", "c", "\x00", "a\x00b", "b\x00c\x00d", "\x01", "1", "1:a", "é"}

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

func TestTagSetsWithTheSameTagsAreOnePointer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table := NewTags()
	seen := map[*TagSet]map[string]string{}
	byText := map[string]*TagSet{} // the dumb twin: sets by a text that nothing can confuse
	for range 20_000 {
		s, twin := table.Empty(), map[string]string{}
		if r.IntN(4) == 0 {
			for range r.IntN(4) {
				twin[word(r)] = word(r)
			}
			s = table.From(twin)
		}
		for range r.IntN(5) {
			k, v := word(r), word(r)
			if r.IntN(4) == 0 {
				s = s.Without(k)
				delete(twin, k)
			} else {
				s = s.With(k, v)
				twin[k] = v
			}
		}
		if !maps.Equal(s.Map(), twin) {
			t.Fatalf("the set holds %q, want %q", s.Map(), twin)
		}
		if before, ok := seen[s]; ok && !maps.Equal(before, twin) {
			t.Fatalf("one pointer for %q and %q", before, twin)
		}
		text := fmt.Sprintf("%q", s.All())
		if other, ok := byText[text]; ok && other != s {
			t.Fatalf("two pointers for %s", text)
		}
		seen[s], byText[text] = twin, s
	}
	if len(seen) < 1000 {
		t.Errorf("only %d different sets were tried", len(seen))
	}
}

func TestTagSetsNeverChange(t *testing.T) {
	s := NewTags().Of(Tag{"b", "1"}, Tag{"d", "2"})
	before := fmt.Sprint(s.All())
	for _, other := range []*TagSet{s.With("a", "x"), s.With("b", "x"), s.With("c", "x"), s.With("e", "x"), s.Without("b"), s.Without("d")} {
		if other == s {
			t.Errorf("%v is the set that it was made from", other.All())
		}
	}
	if got := fmt.Sprint(s.All()); got != before {
		t.Errorf("%s became %s", before, got)
	}
	if s.With("b", "1") != s || s.Without("z") != s {
		t.Error("a change that changes nothing made another set")
	}
}

func TestTagsAreSortedWhateverTheirOrder(t *testing.T) {
	table := NewTags()
	s := table.Of(Tag{"z", "1"}, Tag{"a", "2"}, Tag{"m", "3"}, Tag{"z", "4"})
	if got := fmt.Sprint(s.All()); got != "[{a 2} {m 3} {z 4}]" {
		t.Errorf("the tags are %s", got)
	}
	if s != table.From(map[string]string{"m": "3", "z": "4", "a": "2"}) {
		t.Error("Of and From disagree")
	}
	if v, ok := s.Get("m"); v != "3" || !ok {
		t.Errorf("m is %q, %v", v, ok)
	}
	if _, ok := s.Get("n"); ok {
		t.Error("there is an n")
	}
	for _, tt := range []struct {
		part []Tag
		want bool
	}{
		{nil, true}, {[]Tag{{"a", "2"}}, true}, {[]Tag{{"z", "4"}, {"a", "2"}}, true}, {[]Tag{{"a", "3"}}, false}, {[]Tag{{"a", "2"}, {"n", ""}}, false},
	} {
		if got := s.Contains(tt.part); got != tt.want {
			t.Errorf("contains %v: %v", tt.part, got)
		}
	}
}

func TestTheNilSetIsEmpty(t *testing.T) {
	var s *TagSet
	if _, ok := s.Get("a"); ok || len(s.All()) != 0 || len(s.Map()) != 0 || !s.Contains(nil) || s.Contains([]Tag{{"a", ""}}) {
		t.Error("the nil set holds something")
	}
}

func TestManyMayAskForOneSetAtOnce(t *testing.T) {
	table := NewTags()
	const askers = 8
	got := make([][]*TagSet, askers)
	var wg sync.WaitGroup
	for a := range askers {
		wg.Go(func() {
			for i := range 500 {
				s := table.Of(Tag{"n", fmt.Sprint(i)}, Tag{"m", fmt.Sprint(i % 7)})
				if i%3 == 0 {
					s = s.Without("m")
				}
				got[a] = append(got[a], s)
			}
		})
	}
	wg.Wait()
	for a := range askers {
		for i, s := range got[a] {
			if s != got[0][i] {
				t.Fatalf("asker %d got another pointer for set %d", a, i)
			}
		}
	}
}

func TestEndlessTagValuesCostNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills the table")
	}
	table := NewTags()
	kept := table.Empty().With("url", "kept")
	for i := range maxTagSets + 1000 {
		table.Empty().With("url", fmt.Sprint(i))
	}
	if len(table.sets) > maxTagSets || len(table.children) > maxTagSets {
		t.Errorf("%d sets and %d steps are kept; the bound is %d", len(table.sets), len(table.children), maxTagSets)
	}
	if table.Empty().With("url", "kept") != kept {
		t.Error("a set from before the bound is not found any more")
	}
	over := table.Empty().With("url", "one more")
	if v, _ := over.Get("url"); v != "one more" {
		t.Errorf("beyond the bound the tag is %q", v)
	}
}

func TestFindingASetAllocatesNothing(t *testing.T) {
	s := NewTags().Empty().With("a", "1")
	s.With("b", "2")
	if n := testing.AllocsPerRun(100, func() { s.With("b", "2") }); n != 0 {
		t.Errorf("With allocates %v times for a set that is known", n)
	}
}

func TestSelectorsOfTheSameSamplesHaveOneID(t *testing.T) {
	ab := Selector{"m", []Tag{{"a", "1"}, {"b", "2"}}}
	ba := Selector{"m", []Tag{{"b", "2"}, {"a", "1"}}}
	if ab.ID() != ba.ID() {
		t.Error("the order of the tags counts")
	}
	if ab.String() != "m{a:1,b:2}" || ba.String() != "m{b:2,a:1}" || (Selector{Metric: "m"}).String() != "m" {
		t.Errorf("they read %s and %s", ab, ba)
	}
	if ba.Tags[0].Key != "b" {
		t.Error("ID changed the selector")
	}
	ids := map[string]Selector{}
	for _, s := range []Selector{ab, {"m", nil}, {"m", []Tag{{"a", "1"}}}, {"n", []Tag{{"a", "1"}}}, {"m", []Tag{{"a", "1\x00b\x002"}}}, {"m", []Tag{{"a", "1\x001:b"}}}} {
		if other, ok := ids[s.ID()]; ok {
			t.Errorf("%q and %q have one ID", s, other)
		}
		ids[s.ID()] = s
	}
	if v, ok := ab.Tag("b"); v != "2" || !ok {
		t.Errorf("tag b is %q", v)
	}
	if _, ok := ab.Tag("c"); ok || strings.Contains(ab.Suffix(), "c") {
		t.Error("there is a tag c")
	}
}

func TestAddedTagsGiveWay(t *testing.T) {
	t.Parallel()
	own := []Tag{{"b", "1"}, {"d", "2"}}
	more := []Tag{{"z", "5"}, {"d", "other"}, {"a", "3"}, {"a", "again"}, {"c", "4"}}
	if got := fmt.Sprint(WithTags(own, more)); got != "[{a 3} {b 1} {c 4} {d 2} {z 5}]" {
		t.Errorf("they are %s", got)
	}
	if got := WithTags(own, nil); &got[0] != &own[0] || fmt.Sprint(own) != "[{b 1} {d 2}]" {
		t.Errorf("without more: %v", got)
	}
	if got := WithTags(nil, more[:1]); fmt.Sprint(got) != "[{z 5}]" {
		t.Errorf("of none: %v", got)
	}
}

package summary

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// In the order in which k6 printed them.
func TestNamesAreInTheOrderOfLocaleCompare(t *testing.T) {
	want := []string{
		"a", "A", "a b", "a_b", "a-b", "a1", "a10", "a2", "aa", "aA", "Aa", "AA", "ab", "ab_", "b", "B",
		"x", "X", "x_a", "x{a:b,c:d}", "x{a:b}", "x{a:B}", "x{A:b}", "x{name:http://a.test/?a=1}", "x{name:http://a.test/}", "x{name:http://a.test/#frag}", "xa", "xé",
	}
	got := slices.Clone(want)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	if slices.SortFunc(got, compareNames); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, name := range want {
		if compareNames(name, name) != 0 {
			t.Errorf("%q is not like itself", name)
		}
	}
}

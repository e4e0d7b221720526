package plural

import "testing"

func TestOneIsNotSeveral(t *testing.T) {
	for n, want := range map[int]string{-1: "-1 nodes vote", 0: "0 nodes vote", 1: "1 node votes", 2: "2 nodes vote", 1000: "1000 nodes vote"} {
		if got := Of(n, "node votes", "nodes vote"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

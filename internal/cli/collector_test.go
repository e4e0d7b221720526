package cli

import "testing"

func TestTheCollectorsRoomFollowsWhatItCosts(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, tt := range []struct {
		name          string
		live, garbage float64
		least, most   int
	}{
		{"few VUs, many requests: several times the heap", 3 * mb, 100 * mb, 300, 600},
		{"many VUs that wait: little more than the heap", 15 * mb, 5 * mb, 10, 40},
		{"a large heap with much garbage is bounded", 1000 * mb, 1000 * mb, 10, 10},
		{"nothing alive yet", 0, 0, 3000, 3000},
	} {
		if got := gcPercent(tt.live, tt.garbage); got < tt.least || got > tt.most {
			t.Errorf("%s: GOGC %d, want %d to %d", tt.name, got, tt.least, tt.most)
		}
	}
}

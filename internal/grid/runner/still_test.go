package runner

import (
	"testing"
	"time"
)

func TestOnlyWhoNeitherSpeaksNorWorksIsFrozen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		silent func(second int) int
		worked func(second int) int64
		want   int // the second at which it is found out; 0: never
	}{
		{"it speaks", func(int) int { return 1 }, func(int) int64 { return 5 }, 0},
		{"it is busy", func(s int) int { return s }, func(s int) int64 { return int64(s) }, 0},
		{"it is frozen", func(s int) int { return s }, func(int) int64 { return 5 }, 5},
		{"nobody knows", func(s int) int { return s }, func(int) int64 { return 0 }, 0},
		{"it works now and then", func(s int) int { return s }, func(s int) int64 { return 1 + int64(s/2) }, 0},
		{"it is frozen later", func(s int) int { return max(1, s-10) }, func(s int) int64 { return int64(min(s, 10)) }, 15},
	} {
		var s stillness
		got := 0
		for second := 1; second <= 60 && got == 0; second++ {
			silent := time.Duration(tt.silent(second)) * time.Second
			if s.look(time.Unix(int64(second), 0), silent, func() int64 { return tt.worked(second) }) > 0 {
				got = second
			}
		}
		if got != tt.want {
			t.Errorf("%s: found at second %d, want %d", tt.name, got, tt.want)
		}
	}
}

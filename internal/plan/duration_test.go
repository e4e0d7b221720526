package plan

import (
	"testing"
	"time"
)

func TestDurationsReadAsInK6(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"1500": 1500 * time.Millisecond, "1.5": 1500 * time.Microsecond, "-1": -time.Millisecond, "1m30s": 90 * time.Second, "1d": 24 * time.Hour,
		"1d2h3m": 26*time.Hour + 3*time.Minute, "-1d1h": -25 * time.Hour, "1us": time.Microsecond, "0": 0, "1e3": time.Second,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "abc", " 1s", "1d1d", "2h1d", "1.5d", "inf", "nan", "0x10", "1e30", "99999999d", "106751d24h", "e", "-"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1500", "1d2h", "-1d1h", "1m30s", "1e400", "d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if again, err := ParseDuration(FormatDuration(d)); err != nil || again != d {
			t.Fatalf("%q is %v, which reads as %v, %v", s, d, again, err)
		}
	})
}

package summary

import (
	"math"
	"testing"

	"throng/internal/metric"
)

// What k6 printed for these numbers.
func TestNumbersReadAsInK6(t *testing.T) {
	for _, tt := range []struct {
		v        float64
		contains metric.Contains
		unit     string
		want     string
	}{
		{0, metric.Default, "", "0"}, {0.123456789, metric.Default, "", "0.123457"}, {0.0000001, metric.Default, "", "0"},
		{-1e-9, metric.Default, "", "0"}, {9.99999951, metric.Default, "", "10"}, {1e16, metric.Default, "", "10000000000000000"},
		{1.5e21, metric.Default, "", "1.5e+21"}, {4607.84901, metric.Default, "", "4607.84901"}, {10, metric.Default, "", "10"},
		{math.Inf(1), metric.Default, "", "Infinity"}, {math.Inf(-1), metric.Default, "", "-Infinity"}, {math.NaN(), metric.Default, "", "NaN"},
		{0, metric.Time, "", "0s"}, {-1, metric.Time, "", "-1000000ns"}, {0.0000001, metric.Time, "", "0ns"}, {0.000999, metric.Time, "", "999ns"},
		{0.001, metric.Time, "", "1µs"}, {0.123456789, metric.Time, "", "123.45µs"}, {0.99999999, metric.Time, "", "999.99µs"},
		{9.99999951, metric.Time, "", "9.99ms"}, {999.9999999, metric.Time, "", "999.99ms"}, {1.005, metric.Time, "", "1ms"},
		{2.3, metric.Time, "", "2.29ms"}, {1150, metric.Time, "", "1.14s"}, {4100, metric.Time, "", "4.09s"}, {64.1, metric.Time, "", "64.09ms"},
		{0.29, metric.Time, "", "290µs"}, {1000, metric.Time, "", "1s"}, {59999.6, metric.Time, "", "59.99s"}, {60001, metric.Time, "", "1m0s"},
		{3599999, metric.Time, "", "59m59s"}, {5025000, metric.Time, "", "1h23m45s"}, {1e9, metric.Time, "", "277h46m40s"},
		{1234.5678, metric.Time, "s", "1.23s"}, {1234.5678, metric.Time, "ms", "1234.57ms"}, {1234.5678, metric.Time, "us", "1234567.80µs"},
		{-0.5, metric.Time, "s", "-0.00s"}, {1e21, metric.Time, "ms", "1e+21ms"}, {99.995, metric.Time, "ms", "100.00ms"}, {0.125, metric.Time, "ms", "0.13ms"},
		{-0.125, metric.Time, "ms", "-0.13ms"}, {0, metric.Time, "us", "0.00µs"},
		{0, metric.Data, "", "0 B"}, {7.464824283338395, metric.Data, "", "7.464824283338395 B"}, {112, metric.Data, "", "112 B"},
		{953, metric.Data, "", "953 B"}, {1013, metric.Data, "", "1.0 kB"}, {9874, metric.Data, "", "9.9 kB"}, {9964, metric.Data, "", "10 kB"},
		{99515, metric.Data, "", "100 kB"}, {999516, metric.Data, "", "1000 kB"}, {9900117, metric.Data, "", "9.9 MB"}, {15500118, metric.Data, "", "16 MB"},
		{1088690286.758136, metric.Data, "", "1.1 GB"}, {351549.9131138846, metric.Data, "", "352 kB"},
	} {
		if got := human(tt.v, tt.contains, tt.unit); got != tt.want {
			t.Errorf("%v %s %q reads %q, want %q", tt.v, tt.contains, tt.unit, got, tt.want)
		}
	}
	for n, want := range map[float64]string{29: "0.28%", 57: "0.57%", 58: "0.57%", 113: "1.12%", 9999: "99.99%", 10000: "100.00%", 820: "8.20%"} {
		if got := percent(n / 10000); got != want {
			t.Errorf("%v of 10000 is %s, want %s", n, got, want)
		}
	}
}

package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a duration as scripts write it: a Go duration ("1m30s"), one that begins with whole days
// ("1d2h"), or a bare number of milliseconds ("1500").
func ParseDuration(s string) (time.Duration, error) {
	if isNumber(s) {
		ms, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return 0, fmt.Errorf("time: invalid duration %q", s)
		}
		return milliseconds(ms)
	}
	return parseUnits(s)
}

// parseUnits wants a unit, as flags do.
func parseUnits(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * 24 * time.Hour
	if d/(24*time.Hour) != time.Duration(n) {
		return 0, fmt.Errorf("time: invalid duration %q", s)
	}
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil {
		return 0, err
	}
	if strings.HasPrefix(days, "-") {
		more = -more
	}
	if sum := d + more; (more >= 0) == (sum >= d) {
		return sum, nil
	}
	return 0, fmt.Errorf("time: invalid duration %q", s)
}

// FormatDuration is the text that k6 shows for d, for example 1m0s.
func FormatDuration(d time.Duration) string { return d.String() }

func milliseconds(ms float64) (time.Duration, error) {
	ns := ms * float64(time.Millisecond)
	if math.IsNaN(ns) || ns >= math.MaxInt64 || ns <= math.MinInt64 {
		return 0, fmt.Errorf("time: invalid duration %q: more milliseconds than fit", strconv.FormatFloat(ms, 'g', -1, 64))
	}
	return time.Duration(math.Round(ns)), nil
}

// isNumber keeps out what strconv.ParseFloat also takes: inf, nan, hexadecimal.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.eE+-") == "" && strings.ContainsAny(s, "0123456789")
}

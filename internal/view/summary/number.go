package summary

import (
	"math"
	"strconv"
	"strings"

	"throng/internal/metric"
)

// human writes v as metrics with these contents are read. unit is s, ms, us or "" for the unit that suits v; v of a time
// is in milliseconds.
func human(v float64, c metric.Contains, unit string) string {
	switch c {
	case metric.Time:
		return humanTime(v, unit)
	case metric.Data:
		return humanBytes(v)
	default:
		return humanNumber(v)
	}
}

// humanNumber has at most six decimals.
func humanNumber(v float64) string {
	if math.Abs(v) >= 1e21 || math.IsNaN(v) || math.IsInf(v, 0) {
		return shortest(v)
	}
	return trimZeros(fixed(v, 6))
}

func humanTime(ms float64, unit string) string {
	switch unit {
	case "s":
		return fixed(ms*0.001, 2) + "s"
	case "ms":
		return fixed(ms, 2) + "ms"
	case "us":
		return fixed(ms*1000, 2) + "µs"
	}
	switch {
	case ms == 0 || math.IsNaN(ms):
		return "0s"
	case ms < 0.001:
		return shortest(math.Trunc(ms*1e6)+0) + "ns"
	case ms < 1:
		return cut(ms*1000) + "µs"
	case ms < 1000:
		return cut(ms) + "ms"
	case ms < 60000:
		return cut(ms/1000) + "s"
	}
	s := math.Floor(ms / 1000)
	rest := strconv.FormatFloat(math.Mod(math.Floor(s/60), 60), 'f', 0, 64) + "m" + strconv.FormatFloat(math.Mod(s, 60), 'f', 0, 64) + "s"
	if h := math.Floor(s / 3600); h > 0 {
		return strconv.FormatFloat(h, 'f', 0, 64) + "h" + rest
	}
	return strconv.FormatFloat(math.Floor(s/60), 'f', 0, 64) + "m" + strconv.FormatFloat(math.Mod(s, 60), 'f', 0, 64) + "s"
}

// humanBytes counts in thousands: one decimal below ten, none above.
func humanBytes(v float64) string {
	if v < 10 || math.IsNaN(v) || math.IsInf(v, 0) {
		return shortest(v) + " B"
	}
	units := [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	e := 0
	for n := v; n >= 1000 && e < len(units)-1; n /= 1000 {
		e++
	}
	n := math.Floor(v/math.Pow(1000, float64(e))*10+0.5) / 10
	if e > 0 && n < 10 {
		return fixed(n, 1) + " " + units[e]
	}
	return fixed(n, 0) + " " + units[e]
}

// percent has two decimals, the rest cut off, so that 100.00% means all.
func percent(share float64) string {
	return fixed(math.Trunc(share*100*100)/100, 2) + "%"
}

// cut leaves at most two decimals; the others are cut off, not rounded.
func cut(v float64) string { return trimZeros(fixed(math.Trunc(v*100)/100, 2)) }

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

// fixed has exactly n decimals. Halves are rounded away from zero, as ECMAScript does, where Go would take the even
// neighbour; and as there, numbers from 1e21 on keep their exponent.
func fixed(v float64, n int) string {
	if math.Abs(v) >= 1e21 || math.IsNaN(v) || math.IsInf(v, 0) {
		return shortest(v)
	}
	// An exact half is seen in its decimals: "5" and then nothing; 60 of them are more than a float64 can hide in.
	if long := strconv.FormatFloat(v, 'f', n+60, 64); strings.TrimRight(long[len(long)-60:], "0") == "5" {
		v = math.Nextafter(v, math.Copysign(math.Inf(1), v))
	}
	return strconv.FormatFloat(v, 'f', n, 64)
}

// shortest is the number as ECMAScript prints it.
func shortest(v float64) string {
	if v == 0 {
		return "0"
	}
	if math.IsInf(v, 0) {
		return strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+") + "inity" // of +Inf, -Inf
	}
	if a := math.Abs(v); a >= 1e21 || a < 1e-6 {
		s := strconv.FormatFloat(v, 'e', -1, 64)
		mantissa, exp, found := strings.Cut(s, "e")
		if !found {
			return s
		}
		return mantissa + "e" + exp[:1] + strings.TrimLeft(exp[1:], "0")
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

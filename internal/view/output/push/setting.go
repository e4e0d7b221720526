package push

import (
	"fmt"
	"strconv"
	"time"
)

// Interval reads a duration as k6's outputs do: Go's notation, or a number of milliseconds; more than nothing.
func Interval(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		ms, nerr := strconv.ParseInt(s, 10, 32)
		if nerr != nil {
			return 0, fmt.Errorf("%q: a duration such as 5s would be right", s)
		}
		d = time.Duration(ms) * time.Millisecond
	}
	if d < time.Millisecond {
		return 0, fmt.Errorf("%q: a duration of a millisecond or more would be right", s)
	}
	return d, nil
}

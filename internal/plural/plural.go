package plural

import "strconv"

// Of is n with the form that goes with it.
func Of[N int | int64](n N, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(int64(n), 10) + " " + several
}

package segment

import (
	"fmt"
	"math/big"
	"strings"
)

// Segment is the part (from, to] of a whole test. The zero value is the whole, (0, 1]. It does not change.
type Segment struct{ from, to *big.Rat } // both nil in the zero value

var (
	zero = new(big.Rat)
	one  = big.NewRat(1, 1)
)

// New returns the segment (from, to]; an error unless 0 <= from < to <= 1.
func New(from, to *big.Rat) (Segment, error) {
	switch {
	case from.Sign() < 0:
		return Segment{}, fmt.Errorf("segment start value must be at least 0 but was %s", from.FloatString(2))
	case from.Cmp(to) >= 0:
		return Segment{}, fmt.Errorf("segment start(%s) must be less than its end(%s)", from.FloatString(2), to.FloatString(2))
	case to.Cmp(one) > 0:
		return Segment{}, fmt.Errorf("segment end value can't be more than 1 but was %s", to.FloatString(2))
	}
	return Segment{new(big.Rat).Set(from), new(big.Rat).Set(to)}, nil
}

// Parse reads "from:to" or "to", where both are fractions (1/3), decimals (0.25) or percentages (25%), as in k6's
// --execution-segment. The empty string is the whole.
func Parse(s string) (Segment, error) {
	if s == "" {
		return Segment{}, nil
	}
	from := zero
	start, end, both := strings.Cut(s, ":")
	if both {
		var err error
		if from, err = parseBound(start); err != nil {
			return Segment{}, err
		}
	} else {
		end = s
	}
	to, err := parseBound(end)
	if err != nil {
		return Segment{}, err
	}
	return New(from, to)
}

// parseBound reads one number. Exponents are refused because 1e-999999999 is a short text and a long number.
func parseBound(s string) (*big.Rat, error) {
	number, percent := strings.CutSuffix(s, "%")
	wrong := fmt.Errorf("'%s' is not a valid percentage, decimal, fraction or interval value", s)
	if len(number) > 64 || strings.ContainsAny(number, "eEpPxX_ ") {
		return nil, wrong
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return nil, wrong
	}
	if percent {
		r.Quo(r, big.NewRat(100, 1))
	}
	return r, nil
}

// From returns where the segment begins (exclusive), 0 to 1.
func (s Segment) From() *big.Rat {
	if s.from == nil {
		return new(big.Rat)
	}
	return new(big.Rat).Set(s.from)
}

// To returns where the segment ends (inclusive), 0 to 1.
func (s Segment) To() *big.Rat {
	if s.to == nil {
		return new(big.Rat).Set(one)
	}
	return new(big.Rat).Set(s.to)
}

// Length returns the segment's share of the whole.
func (s Segment) Length() *big.Rat { return new(big.Rat).Sub(s.To(), s.From()) }

// Share returns Length as a float, for showing it.
func (s Segment) Share() float64 {
	f, _ := s.Length().Float64()
	return f
}

// IsWhole reports whether the segment is all of the test.
func (s Segment) IsWhole() bool { return s.Equal(Segment{}) }

// Equal reports whether both segments are the same part.
func (s Segment) Equal(o Segment) bool {
	return s.From().Cmp(o.From()) == 0 && s.To().Cmp(o.To()) == 0
}

// String returns the segment as Parse reads it, in lowest terms: "1/3:2/3".
func (s Segment) String() string { return s.From().RatString() + ":" + s.To().RatString() }

// MarshalText returns String.
func (s Segment) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is Parse.
func (s *Segment) UnmarshalText(text []byte) (err error) {
	n, err := Parse(string(text))
	if err == nil {
		*s = n
	}
	return err
}

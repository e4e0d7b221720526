package threshold

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"throng/internal/metric"
)

// Threshold is one expression that a metric must satisfy.
type Threshold struct {
	Source         string
	AbortOnFail    bool
	DelayAbortEval time.Duration
}

// Expression is a Threshold's source, understood: method, operator, limit.
type Expression struct {
	Method     string  // count, rate, value, avg, min, max, med or p
	Name       string  // the method as written: avg, p(99.90)
	Percentile float64 // of method p: p(99.90) has 99.9
	Op         string  // <, <=, >, >=, ==, ===, !=
	Limit      float64
}

// operators are all that may stand between method and limit.
var operators = [...]string{"===", "==", "!=", "<=", ">=", "<", ">"}

// Parse reads one expression: method, operator and number, with white space around each as one likes
// (https://grafana.com/docs/k6, "Thresholds").
func Parse(source string) (Expression, error) {
	var e Expression
	// The last run of operator characters: what stands before it must then be a method and nothing else.
	const signs = "=!<>"
	end := strings.LastIndexAny(source, signs) + 1
	at := end
	for at > 0 && strings.IndexByte(signs, source[at-1]) >= 0 {
		at--
	}
	if e.Op = source[at:end]; !slices.Contains(operators[:], e.Op) {
		return e, fmt.Errorf("failed parsing threshold expression %q; reason: malformed threshold expression", source)
	}
	left, right := strings.TrimSpace(source[:at]), strings.TrimSpace(source[at+len(e.Op):])
	if left == "" || right == "" {
		return e, fmt.Errorf("failed parsing threshold expression %q; reason: malformed threshold expression", source)
	}
	if err := e.method(left); err != nil {
		return e, fmt.Errorf("failed parsing threshold expression's %q left hand side; reason: %w", source, err)
	}
	limit, err := strconv.ParseFloat(right, 64)
	if err != nil {
		return e, fmt.Errorf("failed parsing threshold expression's %q right hand side; reason: %w", source, err)
	}
	e.Limit = limit
	return e, nil
}

func (e *Expression) method(s string) error {
	e.Name = s
	switch s {
	case "count", "rate", "value", "avg", "min", "max", "med":
		e.Method = s
		return nil
	}
	inner, ok := strings.CutPrefix(s, "p(")
	if !ok || !strings.HasSuffix(inner, ")") {
		return fmt.Errorf("failed parsing method from expression")
	}
	p, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(inner, ")")), 64)
	if err != nil {
		return fmt.Errorf("malformed percentile value; reason: %w", err)
	}
	e.Method, e.Percentile = "p", p
	return nil
}

// Methods are the methods that a metric of kind k understands, in k6's order.
func Methods(k metric.Kind) []string {
	switch k {
	case metric.Counter:
		return []string{"count", "rate"}
	case metric.Gauge:
		return []string{"value"}
	case metric.Rate:
		return []string{"rate"}
	default:
		return []string{"avg", "min", "max", "med", "p"}
	}
}

// Value is what the expression compares: the method's value in s after elapsed. A metric without samples counts as 0.
// Counter rates are per second of elapsed; percentiles and times are in the metric's own unit.
func (e Expression) Value(s metric.Series, elapsed time.Duration) float64 {
	switch e.Method {
	case "count":
		return s.Sum
	case "value":
		return s.Last
	case "rate":
		if s.Kind == metric.Counter {
			if elapsed <= 0 {
				return 0
			}
			return s.Sum / elapsed.Seconds()
		}
		if s.Count == 0 {
			return 0
		}
		return float64(s.Trues) / float64(s.Count)
	}
	if s.Trend == nil || s.Trend.Count() == 0 {
		return 0
	}
	switch e.Method {
	case "avg":
		return s.Trend.Avg()
	case "min":
		return s.Trend.Min()
	case "max":
		return s.Trend.Max()
	case "med":
		return s.Trend.Quantile(0.5)
	}
	return s.Trend.Quantile(min(1, max(0, e.Percentile/100)))
}

// Holds reports whether value satisfies the expression.
func (e Expression) Holds(value float64) bool {
	switch e.Op {
	case "<":
		return value < e.Limit
	case "<=":
		return value <= e.Limit
	case ">":
		return value > e.Limit
	case ">=":
		return value >= e.Limit
	case "!=":
		return value != e.Limit
	default:
		return value == e.Limit
	}
}

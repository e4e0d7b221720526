package threshold

import (
	"fmt"
	"strings"

	"throng/internal/metric"
)

// ParseKey reads what thresholds stand under: a metric's name, alone or followed by tags in braces, as in
// http_req_duration{status:200,method:"GET"}. White space and quotes around keys and values do not count.
func ParseKey(key string) (metric.Selector, error) {
	open, end := strings.IndexByte(key, '{'), strings.IndexByte(key, '}')
	switch {
	case open < 0 && end < 0:
		return metric.Selector{Metric: key}, nil
	case open < 0 || end < 0:
		return metric.Selector{}, fmt.Errorf("parsing metric name failed, metric %q has unmatched opening/close curly brace", key)
	case end < open:
		return metric.Selector{}, fmt.Errorf("parsing metric name failed, metric %q closing curly brace appears before opening one", key)
	case !strings.HasSuffix(key, "}"):
		return metric.Selector{}, fmt.Errorf("parsing metric name failed, metric %q lacks a closing curly brace in its last position", key)
	}
	sel := metric.Selector{Metric: key[:open]}
	for _, pair := range strings.Split(key[open+1:len(key)-1], ",") {
		k, v, ok := strings.Cut(pair, ":")
		k, v = bare(k), bare(v)
		if !ok || k == "" || v == "" {
			return metric.Selector{}, fmt.Errorf("parsing metric name failed, metric %q tag expression is malformed", strings.TrimSpace(pair))
		}
		sel.Tags = append(sel.Tags, metric.Tag{Key: k, Value: v})
	}
	return sel, nil
}

func bare(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

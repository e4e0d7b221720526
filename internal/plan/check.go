package plan

import (
	"crypto/tls"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"throng/internal/segment"
)

// The checks below refuse one value, with the words that k6 uses where it has some.

func oneOf(kind string, known ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if slices.Contains(known, s) {
			return s, nil
		}
		return "", fmt.Errorf("%s does not belong to %s values, which are %s", s, kind, strings.Join(known, ", "))
	}
}

func checkSegment(s string) (string, error) {
	seg, err := segment.Parse(s)
	if err != nil {
		return "", err
	}
	return seg.String(), nil
}

func checkSequence(s string) (string, error) {
	q, err := segment.ParseSequence(s)
	if err != nil {
		return "", err
	}
	return q.String(), nil
}

// cipherSuites knows the names of RFC 8446 and of the registry, and the shorter ones that k6 has for two of them.
func cipherSuites() map[string]uint16 {
	m := map[string]uint16{}
	for _, c := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		m[c.Name] = c.ID
	}
	m["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"] = tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
	m["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"] = tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
	return m
}

// CipherSuites returns the identifiers of the named suites, for crypto/tls.
func CipherSuites(names []string) ([]uint16, error) {
	known := cipherSuites()
	ids := make([]uint16, 0, len(names))
	for _, name := range names {
		id, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("unknown cipher suite '%s'", name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func checkCipherSuites(names []string) ([]string, error) {
	_, err := CipherSuites(names)
	return names, err
}

// TLSVersion returns crypto/tls's number for tls1.0 to tls1.3, 0 for "".
func TLSVersion(name string) (uint16, error) {
	switch name {
	case "":
		return 0, nil
	case "tls1.0":
		return tls.VersionTLS10, nil
	case "tls1.1":
		return tls.VersionTLS11, nil
	case "tls1.2":
		return tls.VersionTLS12, nil
	case "tls1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("unknown TLS version '%s', known are tls1.0, tls1.1, tls1.2 and tls1.3", name)
}

func checkTLSVersion(s string) (string, error) {
	_, err := TLSVersion(s)
	return s, err
}

// CheckTrendStats refuses what summaryTrendStats cannot hold: all but avg, min, med, max, count and p(0) to p(100).
func CheckTrendStats(stats []string) error {
	for _, s := range stats {
		if slices.Contains([]string{"avg", "min", "med", "max", "count"}, s) {
			continue
		}
		inner, ok := strings.CutPrefix(s, "p(")
		inner, closed := strings.CutSuffix(inner, ")")
		if !ok || !closed {
			return fmt.Errorf("invalid trend stat '%s', unknown format", s)
		}
		if p, err := strconv.ParseFloat(inner, 64); err != nil || !(p >= 0 && p <= 100) {
			return fmt.Errorf("invalid percentile trend stat value '%s', provide a number between 0 and 100", s)
		}
	}
	return nil
}

// ParseTTL reads dns.ttl: inf is math.MaxInt64, 0 is no cache at all, a bare number is in milliseconds.
func ParseTTL(s string) (time.Duration, error) {
	if s == "inf" {
		return math.MaxInt64, nil
	}
	d, err := ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("invalid DNS TTL: %s, write inf, 0 or a duration such as 5m", s)
	}
	return d, nil
}

func checkTTL(s string) (string, error) {
	_, err := ParseTTL(s)
	return s, err
}

// checkTrendStats lets anything pass: the consolidated options are checked by Validate, and inspect shows what was written.
func checkTrendStats(stats []string) ([]string, error) { return stats, nil }

// SystemTags lists the system tags there are, sorted.
func SystemTags() []string {
	return []string{"check", "error", "error_code", "expected_response", "group", "ip", "iter", "method", "name", "ocsp_status",
		"proto", "scenario", "service", "status", "subproto", "tls_version", "url", "vu"}
}

// knownSystemTags drops what is no system tag, as k6 does, and sorts the rest.
func knownSystemTags(tags []string) ([]string, error) {
	known := SystemTags()
	kept := slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return !slices.Contains(known, t) })
	slices.Sort(kept)
	return slices.Compact(kept), nil
}

// namePattern is a name, perhaps with a star before it and what port allows behind it. The empty name is one, as in k6.
func namePattern(letters, port string) *regexp.Regexp {
	label := "[" + letters + "]([" + letters + "-]*[" + letters + "])?"
	return regexp.MustCompile(`^(\*\.?)?(` + label + `(\.` + label + `)*)?` + port + `$`)
}

func checkHostnames(patterns []string) ([]string, error) {
	valid := namePattern("a-z0-9", "")
	for _, p := range patterns {
		if !valid.MatchString(strings.ToLower(p)) {
			return nil, fmt.Errorf("invalid hostname pattern '%s', write a name such as host.test or *.host.test", p)
		}
	}
	return patterns, nil
}

// checkHosts puts names in lower case, since they are looked up in any case.
func checkHosts(m map[string]string) (map[string]string, error) {
	valid := namePattern(`\pL\pN`, `(:[0-9]{1,5})?`)
	v := make(map[string]string, len(m))
	for _, name := range sorted(m) {
		low := strings.ToLower(name)
		if !valid.MatchString(low) {
			return nil, fmt.Errorf("invalid host pattern '%s', write a name such as host.test, *.host.test or host.test:8080", low)
		}
		addr := m[name]
		if _, err := netip.ParseAddr(addr); err != nil {
			if _, err := netip.ParseAddrPort(addr); err != nil {
				return nil, fmt.Errorf("%s: '%s' is neither an IP address nor an address with a port", name, addr)
			}
		}
		v[low] = addr
	}
	return v, nil
}

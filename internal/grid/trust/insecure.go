package trust

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"throng/internal/fault"
)

// CheckInsecure returns an error that names the first of these hosts (of the URLs of a node, or of the grid that a command
// calls) that is not loopback: plain text is for one machine.
func CheckInsecure(hosts ...string) error {
	for _, h := range hosts {
		if !loopback(h) {
			return fault.WithHint(fault.InvalidConfig, fmt.Errorf("--insecure is for loopback addresses, and %.100q is none", h),
				"leave --insecure away, or use 127.0.0.1")
		}
	}
	return nil
}

func loopback(host string) bool {
	host = strings.ToLower(bare(host))
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || host == "localhost"
}

// LoopbackOnly is Authenticate for a node that was started with --insecure. Whoever comes is Trusted, but for the pages of a
// browser on this machine: a page of another origin, or one whose own name was made to lead here, gives no orders.
func LoopbackOnly(next http.Handler) http.Handler {
	trusted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback(host) || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			http.Error(w, "a node that runs with --insecure answers to loopback addresses alone", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), Caller{Role: Trusted, Via: "--insecure"})))
	})
	return http.NewCrossOriginProtection().Handler(trusted)
}

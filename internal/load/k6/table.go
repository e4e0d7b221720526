package k6

import (
	"fmt"
	"strings"

	"throng/internal/load/k6/k6core"
	"throng/internal/load/k6/k6crypto"
	"throng/internal/load/k6/k6data"
	"throng/internal/load/k6/k6encoding"
	"throng/internal/load/k6/k6execution"
	"throng/internal/load/k6/k6html"
	"throng/internal/load/k6/k6http"
	"throng/internal/load/k6/k6metrics"
	"throng/internal/load/k6/k6timers"
	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/thronggrid"
)

// Modules lists every module written in Go. Add yours here.
func Modules() map[string]scope.Module {
	return map[string]scope.Module{
		"k6":           k6core.New,
		"k6/crypto":    k6crypto.New,
		"k6/data":      k6data.New,
		"k6/encoding":  k6encoding.New,
		"k6/execution": k6execution.New,
		"k6/html":      k6html.New,
		"k6/http":      k6http.New,
		"k6/metrics":   k6metrics.New,
		"k6/timers":    k6timers.New,
		"throng/grid":  thronggrid.New,
	}
}

// missing says about each module of k6 that is not in the table what to do without it.
func missing() map[string]string {
	const later = "throng does not have it yet"
	return map[string]string{
		"k6/browser":                 later + "; it drives protocols, not browsers",
		"k6/crypto/x509":             later,
		"k6/experimental/csv":        later + "; parse the text of open() inside a SharedArray of 'k6/data' instead",
		"k6/experimental/fs":         later + "; use open() instead",
		"k6/experimental/streams":    later,
		"k6/experimental/websockets": later,
		"k6/net/grpc":                later,
		"k6/secrets":                 later + "; pass secrets with --env and read __ENV instead",
		"k6/websockets":              later,
		"k6/ws":                      later,

		"k6/experimental/browser":   "k6 has removed it in favour of 'k6/browser'",
		"k6/experimental/grpc":      "k6 has removed it: use 'k6/net/grpc' instead",
		"k6/experimental/redis":     "k6 has removed it in favour of the extension 'k6/x/redis'",
		"k6/experimental/timers":    "k6 has removed it: use 'k6/timers', or the global setTimeout and its kin, instead",
		"k6/experimental/tracing":   "k6 has removed it: use the library https://jslib.k6.io/http-instrumentation-tempo/ instead",
		"k6/experimental/webcrypto": "k6 has removed it: use the global crypto instead",
	}
}

// Missing returns the error for importing a module that is not in the table.
func Missing(name string) error {
	why, ok := missing()[name]
	switch {
	case ok:
	case strings.HasPrefix(name, "k6/x/"):
		why = "it is an extension of k6 and throng does not have it; what extensions do must be part of the binary"
	default:
		why = "k6 has no module of that name"
	}
	return fmt.Errorf("unknown module: %s: %s", name, why)
}

package k6

import (
	"strings"
	"testing"
)

func TestEveryModuleOfK6IsAnswered(t *testing.T) {
	have, away := Modules(), missing()
	for _, name := range []string{
		"k6", "k6/browser", "k6/crypto", "k6/crypto/x509", "k6/data", "k6/encoding", "k6/execution", "k6/experimental/csv",
		"k6/experimental/fs", "k6/experimental/streams", "k6/experimental/websockets", "k6/html", "k6/http", "k6/metrics",
		"k6/net/grpc", "k6/secrets", "k6/timers", "k6/websockets", "k6/ws",
		"k6/experimental/browser", "k6/experimental/grpc", "k6/experimental/redis", "k6/experimental/timers",
		"k6/experimental/tracing", "k6/experimental/webcrypto",
	} {
		_, here := have[name]
		if _, gone := away[name]; here == gone {
			t.Errorf("%s: in the table %v, in missing %v", name, here, gone)
		}
	}
	for _, name := range []string{"k6/ws", "k6/x/sql", "k6/nonsense", "k6/experimental/timers"} {
		if err := Missing(name); !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

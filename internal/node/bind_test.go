package node

import (
	"net"
	"os"
	"testing"
)

func TestWhereANodeListens(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"https://10.1.2.3:2379", "10.1.2.3:2379"},
		{"https://[::1]:2379", "[::1]:2379"},
	} {
		if got, err := bindTo(t.Context(), tt.address); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.address, got, err, tt.want)
		}
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", name} {
		got, err := bindTo(t.Context(), "https://"+net.JoinHostPort(host, "2379"))
		if err != nil {
			t.Logf("%s is no name that this host knows: %v", host, err)
			continue
		}
		if on, _, err := net.SplitHostPort(got); err != nil || on != "localhost" && net.ParseIP(on) == nil { // what etcd listens at
			t.Errorf("%s: %q, %v", host, got, err)
		}
	}
}

package plan

import (
	"math"
	"net/netip"
	"strings"
	"testing"
)

func TestLocalIPsTakeTurns(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    uint64
		want string // for VU 1, 2, ...
	}{
		{"127.0.0.11-127.0.0.12,127.0.0.21", 3, "127.0.0.11 127.0.0.12 127.0.0.21 127.0.0.11"},
		{"127.0.1.5/29", 6, "127.0.1.1 127.0.1.2 127.0.1.3 127.0.1.4 127.0.1.5 127.0.1.6 127.0.1.1"},
		{"127.0.1.4/30,127.0.2.1-127.0.2.3", 5, "127.0.1.5 127.0.1.6 127.0.2.1 127.0.2.2 127.0.2.3 127.0.1.5"},
		{"127.0.1.4/31,127.0.2.1", 3, "127.0.1.4 127.0.1.5 127.0.2.1 127.0.1.4"},
		{"127.0.1.4/32", 1, "127.0.1.4 127.0.1.4"},
		{"10.0.0.254-10.0.1.1", 4, "10.0.0.254 10.0.0.255 10.0.1.0 10.0.1.1"},
		{"fd:1::fffe-fd:1::1:1", 4, "fd:1::fffe fd:1::ffff fd:1::1:0 fd:1::1:1"},
		{"::/0", math.MaxUint64, "::1 ::2"},
		{"", 0, "invalid"},
	} {
		p, err := ParseLocalIPs(tt.in)
		if err != nil || p.Len() != tt.n {
			t.Errorf("%q: %d addresses, %v", tt.in, p.Len(), err)
		}
		for i, want := range strings.Fields(tt.want) {
			if want == "invalid" {
				want = netip.Addr{}.String()
			}
			if got := p.For(uint64(i) + 1).String(); got != want && !(want == "invalid IP" && got == want) {
				t.Errorf("%q: VU %d has %s, want %s", tt.in, i+1, got, want)
			}
		}
	}
}

func TestBadLocalIPsAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		"x": "x is not a valid IP, IP range or CIDR", "127.0.0.3-127.0.0.1": "negative IP range: 127.0.0.3-127.0.0.1",
		"127.0.0.1-::1": "mixed IP range format: 127.0.0.1-::1", "127.0.0.1-": "wrong IP range format: 127.0.0.1-",
		"127.0.0.1/33":         "parseCIDR() failed parsing 127.0.0.1/33: invalid CIDR address: 127.0.0.1/33",
		"127.0.0.1,,127.0.0.2": " is not a valid IP, IP range or CIDR", "1.1.1.1-1.1.1.2-1.1.1.3": "wrong IP range format",
	} {
		if _, err := ParseLocalIPs(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func FuzzParseLocalIPs(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "10.0.0.0/8,::1/3", "::-ffff::", "1.2.3.4-1.2.3.9", "::ffff:1.2.3.4-1.2.3.5", "fe80::1%a"} {
		f.Add(s, uint64(7))
	}
	f.Fuzz(func(t *testing.T, s string, vu uint64) {
		p, err := ParseLocalIPs(s)
		if err != nil || s == "" || vu == 0 {
			return
		}
		if a := p.For(vu); !a.IsValid() || p.For(1) != p.For(1+p.Len()) && p.Len() != math.MaxUint64 {
			t.Fatalf("%q: VU %d of %d has %v", s, vu, p.Len(), a)
		}
	})
}

package httpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// resolver turns names into addresses and remembers the answers.
type resolver struct {
	cfg DNS

	mu    sync.Mutex
	names map[string]*answer
}

type answer struct {
	ips     []netip.Addr
	expires time.Time // zero: never
	turn    int
}

// maxNames bounds the cache. When it is full it is emptied: names are asked for again, nothing else is lost.
const maxNames = 10_000

// resolve returns one address of name, chosen as the configuration says.
func (r *resolver) resolve(ctx context.Context, name string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip, nil
	}
	if a := r.remembered(name); a.IsValid() {
		return a, nil
	}
	ips, err := r.lookup(ctx, name)
	if err != nil {
		return netip.Addr{}, err
	}
	ips = r.cfg.Policy.filter(ips)
	if len(ips) == 0 {
		return netip.Addr{}, fmt.Errorf("lookup %s: no such host", name) // it has other addresses: k6 does not class this
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.names[name]
	if a == nil {
		a = &answer{}
	}
	a.ips = ips
	if r.cfg.TTL != 0 || r.cfg.Select == SelectRoundRobin {
		if r.names == nil || len(r.names) >= maxNames {
			r.names = map[string]*answer{}
		}
		r.names[name] = a
	}
	if r.cfg.TTL >= 0 {
		a.expires = time.Now().Add(r.cfg.TTL)
	}
	return a.pick(r.cfg.Select), nil
}

func (r *resolver) remembered(name string) netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.names[name]
	if a == nil || !a.expires.IsZero() && !time.Now().Before(a.expires) {
		return netip.Addr{}
	}
	return a.pick(r.cfg.Select)
}

func (r *resolver) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if r.cfg.Lookup != nil {
		return r.cfg.Lookup(ctx, name)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

func (a *answer) pick(how DNSSelect) netip.Addr {
	switch how {
	case SelectFirst:
		return a.ips[0]
	case SelectRoundRobin:
		a.turn++
		return a.ips[(a.turn-1)%len(a.ips)]
	}
	return a.ips[rand.IntN(len(a.ips))]
}

// filter keeps the addresses that the policy allows.
func (p DNSPolicy) filter(ips []netip.Addr) []netip.Addr {
	var four, six []netip.Addr
	for i, ip := range ips {
		ips[i] = ip.Unmap()
		if ips[i].Is4() {
			four = append(four, ips[i])
		} else {
			six = append(six, ips[i])
		}
	}
	switch {
	case p == AnyIP:
		return ips
	case p == OnlyIPv4, p == PreferIPv4 && len(four) > 0, p == PreferIPv6 && len(six) == 0:
		return four
	}
	return six
}

package plan

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"net/netip"
	"strings"
)

// LocalIPs is a pool of source addresses (https://grafana.com/docs/k6, options, local IPs). The zero value is empty.
type LocalIPs struct{ ranges []ipRange }

type ipRange struct {
	first netip.Addr
	count uint64 // math.MaxUint64 stands for more than that
}

// ParseLocalIPs reads addresses, ranges (first-last) and networks (CIDR), separated by commas. Of a network with more
// than two addresses the first and the last are left out.
func ParseLocalIPs(s string) (LocalIPs, error) {
	var p LocalIPs
	if s == "" {
		return p, nil
	}
	for _, part := range strings.Split(s, ",") {
		r, err := parseRange(part)
		if err != nil {
			return LocalIPs{}, err
		}
		p.ranges = append(p.ranges, r)
	}
	return p, nil
}

func checkLocalIPs(s string) (string, error) {
	_, err := ParseLocalIPs(s)
	return s, err
}

func parseRange(s string) (ipRange, error) {
	if strings.Contains(s, "-") {
		return parseSpan(s)
	}
	if strings.Contains(s, "/") {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return ipRange{}, fmt.Errorf("parseCIDR() failed parsing %s: invalid CIDR address: %s", s, s)
		}
		n = n.Masked()
		switch free := n.Addr().BitLen() - n.Bits(); {
		case free < 2:
			return ipRange{n.Addr(), 1 << free}, nil
		case free < 64:
			return ipRange{n.Addr().Next(), 1<<free - 2}, nil
		default:
			return ipRange{n.Addr().Next(), math.MaxUint64}, nil
		}
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return ipRange{}, fmt.Errorf("%s is not a valid IP, IP range or CIDR", s)
	}
	return ipRange{a.Unmap(), 1}, nil
}

func parseSpan(s string) (ipRange, error) {
	from, to, _ := strings.Cut(s, "-")
	first, err1 := netip.ParseAddr(from)
	last, err2 := netip.ParseAddr(to)
	if err1 != nil || err2 != nil || first.Zone()+last.Zone() != "" {
		return ipRange{}, fmt.Errorf("wrong IP range format: %s", s)
	}
	first, last = first.Unmap(), last.Unmap()
	if first.BitLen() != last.BitLen() {
		return ipRange{}, fmt.Errorf("mixed IP range format: %s", s)
	}
	if last.Less(first) {
		return ipRange{}, fmt.Errorf("negative IP range: %s", s)
	}
	n := new(big.Int).SetBytes(last.AsSlice())
	n.Sub(n, new(big.Int).SetBytes(first.AsSlice())).Add(n, big.NewInt(1))
	if !n.IsUint64() {
		return ipRange{first, math.MaxUint64}, nil
	}
	return ipRange{first, n.Uint64()}, nil
}

// Len is the number of addresses, at most math.MaxUint64.
func (p LocalIPs) Len() uint64 {
	var n uint64
	for _, r := range p.ranges {
		sum, carry := bits.Add64(n, r.count, 0)
		if carry != 0 {
			return math.MaxUint64
		}
		n = sum
	}
	return n
}

// For is the address of the VU with this number in the test, counted from 1: they take turns. It is the zero Addr when the
// pool is empty.
func (p LocalIPs) For(vu uint64) netip.Addr {
	n := p.Len()
	if n == 0 || vu == 0 {
		return netip.Addr{}
	}
	i := (vu - 1) % n
	for _, r := range p.ranges {
		if i < r.count {
			return add(r.first, i)
		}
		i -= r.count
	}
	return netip.Addr{}
}

func add(a netip.Addr, i uint64) netip.Addr {
	b := a.AsSlice()
	for j := len(b) - 1; j >= 0 && i > 0; j-- {
		sum := uint64(b[j]) + i&0xff
		b[j] = byte(sum)
		i = i>>8 + sum>>8
	}
	sum, _ := netip.AddrFromSlice(b)
	return sum
}

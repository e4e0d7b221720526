package node

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
)

// bindTo says where to listen for an address by which others reach this node, as IP:PORT. An IP is bound as it is. A host name is
// bound at the one address of this host that it stands for; where it stands for several, or for none because there is a translation
// on the way, or for loopback alone although others are to use it (Debian writes the host's own name so), everywhere.
func bindTo(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	host := u.Hostname()
	if net.ParseIP(host) != nil {
		return u.Host, nil
	}
	found, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return "", fmt.Errorf("find the address of %s: %w", host, err)
	}
	own, err := ownAddresses()
	if err != nil {
		return "", err
	}
	var usable []string
	for _, a := range found {
		if a.IP.IsLoopback() == (host == "localhost") && (a.IP.IsLoopback() || slices.ContainsFunc(own, a.IP.Equal)) {
			usable = append(usable, a.String())
		}
	}
	switch {
	case len(usable) == 1:
		return net.JoinHostPort(usable[0], u.Port()), nil
	case host == "localhost":
		return net.JoinHostPort(host, u.Port()), nil
	}
	return net.JoinHostPort(everywhere, u.Port()), nil
}

// everywhere are all addresses of this host, those of IPv6 included (net.Listen). etcd takes no empty host.
const everywhere = "0.0.0.0"

func ownAddresses() ([]net.IP, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this host: %w", err)
	}
	var out []net.IP
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP)
		}
	}
	return out, nil
}

// defaultHost is by what others reach this host, if nothing is said: its name, where that stands for an address that others can
// use; else its first address that they can.
func defaultHost(ctx context.Context, name string) string {
	found, err := net.DefaultResolver.LookupIPAddr(ctx, name)
	if err == nil && slices.ContainsFunc(found, func(a net.IPAddr) bool { return a.IP.IsGlobalUnicast() }) {
		return name
	}
	own, err := ownAddresses()
	if err != nil {
		return "127.0.0.1"
	}
	for _, want := range []func(net.IP) bool{
		func(ip net.IP) bool { return ip.IsGlobalUnicast() && ip.To4() != nil }, net.IP.IsGlobalUnicast,
	} {
		if i := slices.IndexFunc(own, want); i >= 0 {
			return own[i].String()
		}
	}
	return "127.0.0.1"
}

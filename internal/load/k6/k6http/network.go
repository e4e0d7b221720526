package k6http

import (
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"

	"throng/internal/load/httpc"
	"throng/internal/load/k6/scope"
	"throng/internal/plan"
)

// networks are the ways out of this process: one, or one for each source address that virtual users take turns with.
type networks struct {
	config httpc.Config
	pool   plan.LocalIPs
	err    error

	mu sync.Mutex
	by map[netip.Addr]*httpc.Shared
}

// Network returns what the virtual user's connections are made with: names, TLS, proxies and the source address are
// those of the options. Modules with connections of their own use it too.
func Network(vu *scope.VU) (*httpc.Shared, error) {
	s := sharedOf(vu.Test)
	s.netOnce.Do(func() { s.net = newNetworks(vu.Test.Options) })
	return s.net.from(s.net.pool.For(vu.IDInTest))
}

func (n *networks) from(ip netip.Addr) (*httpc.Shared, error) {
	if n.err != nil {
		return nil, n.err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.by[ip]
	if s == nil {
		cfg := n.config
		if ip.IsValid() {
			cfg.LocalAddr = func() netip.Addr { return ip }
		}
		s = httpc.NewShared(cfg)
		n.by[ip] = s
	}
	return s, nil
}

func newNetworks(o *plan.Options) *networks {
	n := &networks{by: map[netip.Addr]*httpc.Shared{}}
	if n.pool, n.err = plan.ParseLocalIPs(o.LocalIPs.V); n.err != nil {
		return n
	}
	n.config, n.err = config(o)
	return n
}

// config reads the options that decide how connections are made.
func config(o *plan.Options) (cfg httpc.Config, err error) {
	cfg = httpc.Config{
		BlockedIPs: o.BlacklistIPs, BlockedHostnames: o.BlockHostnames, NoConnectionReuse: o.NoConnectionReuse.V,
		MaxIdle: int(o.Batch.V), MaxIdlePerHost: int(o.BatchPerHost.V), Proxy: httpc.ProxyFromEnvironment(),
		MaxResponseBytes: mostKept(debug.SetMemoryLimit(-1)),
	}
	if cfg.Hosts, err = httpc.ParseHosts(o.Hosts); err != nil {
		return cfg, err
	}
	if cfg.DNS, err = dns(o.DNS); err != nil {
		return cfg, err
	}
	cfg.TLS, err = tlsConfig(o)
	return cfg, err
}

// mostKept bounds the body of one response, in bytes, encoded or not: a gigabyte, or an eighth of the process' memory
// limit, for reading a body that grows, undoing its encoding and making a string of it each need it once more.
func mostKept(limit int64) int64 { return min(1<<30, limit/8) }

func dns(o plan.DNS) (d httpc.DNS, err error) {
	if d.TTL, err = plan.ParseTTL(o.TTL.Or("5m")); err != nil {
		return d, err
	}
	if d.TTL == math.MaxInt64 {
		d.TTL = -1
	}
	switch o.Select.V {
	case "first":
		d.Select = httpc.SelectFirst
	case "roundRobin":
		d.Select = httpc.SelectRoundRobin
	}
	switch o.Policy.V {
	case "preferIPv6":
		d.Policy = httpc.PreferIPv6
	case "onlyIPv4":
		d.Policy = httpc.OnlyIPv4
	case "onlyIPv6":
		d.Policy = httpc.OnlyIPv6
	case "any":
		d.Policy = httpc.AnyIP
	}
	return d, nil
}

func tlsConfig(o *plan.Options) (*tls.Config, error) {
	cfg := &tls.Config{
		InsecureSkipVerify: o.InsecureSkipTLSVerify.V, //nolint:gosec // the user asks for it
		Renegotiation:      tls.RenegotiateFreelyAsClient,
	}
	if v := o.TLSVersion; v != nil {
		cfg.MinVersion, cfg.MaxVersion = tlsVersion(v.Min), tlsVersion(v.Max)
	}
	if len(o.TLSCipherSuites) > 0 {
		ids, err := plan.CipherSuites(o.TLSCipherSuites)
		if err != nil {
			return nil, err
		}
		cfg.CipherSuites = ids
	}
	for _, a := range o.TLSAuth {
		cert, err := a.Certificate()
		if err != nil {
			return nil, fmt.Errorf("read tlsAuth: %w", err)
		}
		cfg.Certificates = append(cfg.Certificates, *cert)
	}
	if path := os.Getenv("SSLKEYLOGFILE"); path != "" {
		w, err := keyLog(path)
		if err != nil {
			return nil, err
		}
		cfg.KeyLogWriter = w
	}
	return cfg, nil
}

func keyLog(path string) (io.Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open SSLKEYLOGFILE: %w", err)
	}
	return f, nil
}

func tlsVersion(name string) uint16 {
	switch name {
	case "tls1.0":
		return tls.VersionTLS10
	case "tls1.1":
		return tls.VersionTLS11
	case "tls1.2":
		return tls.VersionTLS12
	case "tls1.3":
		return tls.VersionTLS13
	}
	return 0
}

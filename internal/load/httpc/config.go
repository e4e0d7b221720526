package httpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Config is what all clients of a test have in common. NewShared takes it over: do not change it after that.
type Config struct {
	// Hosts leads "name", "*.name" (any depth) or either with ":port" to an address; port 0 keeps the port asked for.
	Hosts map[string]netip.AddrPort
	// BlockedIPs and BlockedHostnames ("name" or "*.name") end a dial with codes 1110 and 1111.
	BlockedIPs       []netip.Prefix
	BlockedHostnames []string
	DNS              DNS
	// LocalAddr picks the address that the next connection comes from; nil lets the system choose.
	LocalAddr func() netip.Addr
	// DialTimeout bounds a TCP connect; 0 means 30 s.
	DialTimeout time.Duration
	// TLS is the base of every handshake; nil means Go's defaults. ServerName and NextProtos are filled in.
	TLS *tls.Config
	// Proxy chooses a proxy (http, https, socks5) for a URL, nil for none; see ProxyFromEnvironment.
	Proxy func(*url.URL) (*url.URL, error)
	// DisableHTTP2 never offers h2; GODEBUG=http2client=0 in the environment does the same.
	DisableHTTP2 bool
	// NoConnectionReuse closes every connection after one exchange and says so in the request.
	NoConnectionReuse bool
	// MaxIdle and MaxIdlePerHost bound the idle connections of a Client; 0 means 20 and 6.
	MaxIdle, MaxIdlePerHost int
	// MaxResponseBytes bounds a body that is kept, in bytes; 0 means no bound.
	MaxResponseBytes int64
}

// ProxyFromEnvironment returns the choice that HTTP_PROXY, HTTPS_PROXY and NO_PROXY ask for, as
// golang.org/x/net/http/httpproxy reads them, and nil if they ask for none.
func ProxyFromEnvironment() func(*url.URL) (*url.URL, error) {
	c := httpproxy.FromEnvironment()
	if c.HTTPProxy == "" && c.HTTPSProxy == "" {
		return nil
	}
	return c.ProxyFunc()
}

// ParseHosts reads k6's hosts option: name to ip or ip:port.
func ParseHosts(in map[string]string) (map[string]netip.AddrPort, error) {
	out := make(map[string]netip.AddrPort, len(in))
	for name, to := range in {
		if ap, err := netip.ParseAddrPort(to); err == nil {
			out[name] = ap
			continue
		}
		ip, err := netip.ParseAddr(strings.Trim(to, "[]"))
		if err != nil {
			return nil, fmt.Errorf("read hosts entry %q: %w", name, err)
		}
		out[name] = netip.AddrPortFrom(ip, 0)
	}
	return out, nil
}

// Shared is a Config in use: the DNS cache, and buffers for connections at work. All methods may be called at once.
type Shared struct {
	cfg     Config
	hosts   map[string]netip.AddrPort // keys in lower case
	dns     resolver
	buffers sync.Pool // *buffer
	epoch   time.Time
	// connect is dialTCP, save in tests that need no network.
	connect func(ctx context.Context, addr string, t *Times) (net.Conn, error)
}

// NewShared makes what NewClient needs. It starts nothing.
func NewShared(cfg Config) *Shared {
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 30 * time.Second
	}
	if cfg.MaxIdle == 0 {
		cfg.MaxIdle = 20
	}
	if cfg.MaxIdlePerHost == 0 {
		cfg.MaxIdlePerHost = 6
	}
	if slices.Contains(strings.Split(os.Getenv("GODEBUG"), ","), "http2client=0") {
		cfg.DisableHTTP2 = true
	}
	s := &Shared{epoch: time.Now(), cfg: cfg, hosts: make(map[string]netip.AddrPort, len(cfg.Hosts))}
	for k, v := range cfg.Hosts {
		s.hosts[strings.ToLower(k)] = v
	}
	for i, p := range cfg.BlockedHostnames {
		if i == 0 {
			s.cfg.BlockedHostnames = make([]string, len(cfg.BlockedHostnames))
		}
		s.cfg.BlockedHostnames[i] = strings.ToLower(p)
	}
	s.dns = resolver{cfg: cfg.DNS}
	s.connect = s.dialTCP
	s.buffers.New = func() any { return &buffer{b: make([]byte, bufferSize)} }
	return s
}

// DNS says how names become addresses.
type DNS struct {
	// TTL is how long answers are kept: negative means for ever, 0 means not at all.
	TTL    time.Duration
	Select DNSSelect
	Policy DNSPolicy
	// Lookup asks for all addresses of a name; nil means the system's resolver.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
}

// DNSSelect picks one address of several.
type DNSSelect uint8

// The choices of k6's dns.select.
const (
	SelectRandom DNSSelect = iota
	SelectFirst
	SelectRoundRobin
)

// DNSPolicy prefers a kind of address.
type DNSPolicy uint8

// The choices of k6's dns.policy.
const (
	PreferIPv4 DNSPolicy = iota
	PreferIPv6
	OnlyIPv4
	OnlyIPv6
	AnyIP
)

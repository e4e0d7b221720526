package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"throng/internal/fault"
	"throng/internal/grid/trust"
	"throng/internal/grid/worker"
)

// Options say what a node is.
type Options struct {
	Hostname  string
	DataDir   string
	ClientURL string // where everybody reaches the node
	ServerURL string // where members of the store reach each other
	Seeds     []string
	TokenFile string
	Ideal     int // of voters; counts at the founding alone
	NoServer  bool
	Insecure  bool
	Capacity  float64
	Labels    map[string]string
	Version   string
	// EtcdEndpoints are those of an external etcd that holds the store; none: the nodes that vote hold it themselves. EtcdCA,
	// EtcdCert and EtcdKey are files.
	EtcdEndpoints             []string
	EtcdCA, EtcdCert, EtcdKey string
	Log                       *slog.Logger
	Out                       io.Writer // takes the command that joins another node
	// Memory is how many bytes are free on this host; nil, or 0: that is not known.
	Memory func() uint64
	// Command is this program, which the runners are made from.
	Command string
	// start starts runners in another way than in processes of their own; nil: it does not.
	start func(context.Context, worker.Start) (worker.Runner, error)
	// after is called after each step of a founding, which its error ends; nil: nothing is.
	after func(step string) error
}

// Defaults for what was not said.
const (
	DefaultIdeal      = 5
	DefaultClientPort = "2379"
	DefaultServerPort = "2380"
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// Validate says everything that is wrong, and fills what was not said.
func (o *Options) Validate() error {
	var errs []error
	if !nameForm.MatchString(o.Hostname) {
		errs = append(errs, fmt.Errorf("--hostname is %.80q: letters, digits, dots and dashes, at most 63, would be right", o.Hostname))
	}
	if o.DataDir == "" {
		errs = append(errs, errors.New("--data-dir is empty: the folder in which the node keeps what it knows would be right"))
	}
	var err error
	if o.ClientURL, err = o.url("--client-urls", o.ClientURL, DefaultClientPort); err != nil {
		errs = append(errs, err)
	}
	if o.ServerURL, err = o.url("--server-urls", o.ServerURL, DefaultServerPort); err != nil {
		errs = append(errs, err)
	}
	if o.ClientURL != "" && o.ClientURL == o.ServerURL {
		errs = append(errs, fmt.Errorf("--client-urls and --server-urls are both %s: each needs a port of its own", o.ClientURL))
	}
	for i, s := range o.Seeds {
		if o.Seeds[i], err = o.url("--seeds", s, DefaultClientPort); err != nil {
			errs = append(errs, err)
		}
	}
	if err := o.checkForeign(); err != nil {
		errs = append(errs, err)
	}
	if o.Ideal == 0 {
		o.Ideal = DefaultIdeal
	}
	if o.Ideal < 1 || o.Ideal > 9 {
		errs = append(errs, fmt.Errorf("--ideal-cluster-size is %d: 1 to 9, best an odd number, would be right", o.Ideal))
	}
	if o.Capacity == 0 {
		o.Capacity = 1
	}
	if !(o.Capacity > 0 && o.Capacity <= 1e6) {
		errs = append(errs, fmt.Errorf("--capacity is %v: a number above 0 would be right, 1 for an ordinary node", o.Capacity))
	}
	for _, k := range slices.Sorted(maps.Keys(o.Labels)) {
		if k == "" || len(k) > 63 || len(o.Labels[k]) > 255 {
			errs = append(errs, fmt.Errorf("--label %.80q=%.80q: at most 63 characters for the name and 255 for the value", k, o.Labels[k]))
		}
	}
	return fault.New(fault.InvalidConfig, errors.Join(errs...))
}

// url reads one of the node's addresses, as scheme://host:port.
func (o *Options) url(flag, text, port string) (string, error) {
	if text == "" && o.Insecure {
		text = "127.0.0.1"
	} else if text == "" {
		text = defaultHost(context.Background(), o.Hostname)
		if net.ParseIP(text) != nil {
			text = net.JoinHostPort(text, port)
		}
	}
	scheme := "https"
	if o.Insecure {
		scheme = "http"
	}
	if !strings.Contains(text, "://") {
		text = scheme + "://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return "", fmt.Errorf("%s has %.120q: %s://HOST:PORT would be right", flag, text, scheme)
	}
	if u.Scheme != scheme {
		return "", fmt.Errorf("%s has %.120q: %s:// would be right%s", flag, text, scheme, map[bool]string{true: " with --insecure", false: " unless the node is --insecure"}[o.Insecure])
	}
	if o.Insecure {
		if err := trust.CheckInsecure(u.Hostname()); err != nil {
			return "", err
		}
	}
	if p := u.Port(); p != "" {
		port = p
	}
	return scheme + "://" + net.JoinHostPort(u.Hostname(), port), nil
}

// hosts are the hosts of the node's own addresses, without ports.
func (o *Options) hosts() []string {
	var out []string
	for _, a := range []string{o.ClientURL, o.ServerURL} {
		if u, err := url.Parse(a); err == nil && !slices.Contains(out, u.Hostname()) {
			out = append(out, u.Hostname())
		}
	}
	return out
}

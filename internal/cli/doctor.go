package cli

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"throng/internal/doctor"
	"throng/internal/fault"
	"throng/internal/load/executor"
	"throng/internal/load/script"
	"throng/internal/plan"
)

func newDoctor(g *global) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor [FILE]", Short: "is this host fit for a test? If not: the lines that mend it", Args: cobra.MaximumNArgs(1),
		Long: "doctor compares this host with what a script's scenarios need, and prints the exact line that mends each\n" +
			"shortfall. It changes nothing. Without a script the flags say what is planned; without both it looks at what a\n" +
			"generator of this size is good for. Requests of a closed model cannot be foreseen: --rps says how many there will be.",
		Example: "  throng doctor script.js\n  throng doctor -u 20000 -d 1m --rps 30000\n  throng doctor --json script.js",
	}
	f := addTestFlags(c, false)
	c.Flags().BoolVar(&asJSON, "json", false, "as a JSON object")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		host := doctor.Read()
		need, err := g.needOf(cmd.Context(), f, args, host)
		if err != nil {
			return err
		}
		found := doctor.Check(need, host)
		if asJSON {
			return doctor.JSON(g.Stdout, need, host, found)
		}
		return doctor.Text(g.Stdout, need, found)
	}
	return c
}

// needOf is what the test needs that the arguments describe.
func (g *global) needOf(ctx context.Context, f *testFlags, args []string, host doctor.Host) (doctor.Need, error) {
	name, load := "flags", func() (*test, error) {
		return g.loadFrom(f, "flags", func(o script.Options) (*script.Script, error) {
			return script.Given("flags", []byte("export default function () {}"), o)
		})
	}
	if len(args) > 0 {
		name = args[0]
		load = func() (*test, error) { return g.load(f, name) }
	}
	t, err := load()
	if err != nil {
		return doctor.Need{}, err
	}
	opts, _, err := t.inspect(ctx, g)
	if err != nil {
		return doctor.Need{}, err
	}
	if len(args) == 0 && !planned(opts) {
		return doctor.Capacity(host), nil
	}
	return t.need(opts)
}

// planned reports whether the options say anything about the load.
func planned(o plan.Options) bool {
	return o.VUs.Set || o.Duration.Set || o.Iterations.Set || o.RPS.V > 0 || len(o.Stages) > 0 || len(o.Scenarios) > 0
}

// need derives what a host must have for the part of the test that the options give it.
func (t *test) need(opts plan.Options) (doctor.Need, error) {
	needs, _, err := requirementsOf(opts)
	if err != nil {
		return doctor.Need{}, err
	}
	scenarios, err := plan.Derive(opts)
	if err != nil {
		return doctor.Need{}, err
	}
	tuple, err := opts.Tuple()
	if err != nil {
		return doctor.Need{}, err
	}
	rate := 0.0
	for i := range scenarios {
		rate += executor.PeakRate(&scenarios[i])
	}
	rate *= tuple.Segment().Share()
	if limit := float64(opts.RPS.V); limit > 0 && (rate == 0 || limit < rate) {
		rate = limit
	}
	n := doctor.Need{VUs: needs.MaxVUs, RatePerSecond: rate, Loopback: t.aimsAtLoopback(opts)}
	if opts.NoConnectionReuse.V || opts.NoVUConnectionReuse.V {
		n.ConnectionsPerSecond = rate
	}
	pool, err := plan.ParseLocalIPs(opts.LocalIPs.V)
	if err != nil {
		return n, fault.New(fault.InvalidConfig, fmt.Errorf("--local-ips: %w", err))
	}
	n.LocalAddresses = int64(min(pool.Len(), math.MaxInt32))
	return n, nil
}

// address finds what looks like the beginning of a URL. A script may make its addresses up from anything: what is found
// decides only whether all of them are on this host, and an address that was made up elsewhere says that they are not.
var address = regexp.MustCompile("(?:https?|wss?)://([^\\s/'\"`$?#]+)")

// aimsAtLoopback reports whether every address that the script, its modules and its environment name is this host's own.
func (t *test) aimsAtLoopback(opts plan.Options) bool {
	var found []string
	look := func(text string) {
		for _, m := range address.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
	}
	for _, data := range t.script.Files.All() {
		look(string(data))
	}
	for _, value := range t.runtime.Env {
		look(value)
	}
	for _, host := range found {
		if !isLoopback(host, opts.Hosts) {
			return false
		}
	}
	return len(found) > 0
}

// isLoopback reports whether host, with or without a port, is this host, once the option hosts has been followed.
func isLoopback(host string, hosts map[string]string) bool {
	u, err := url.Parse("//" + host)
	if err != nil {
		return false
	}
	name := u.Hostname()
	if to, ok := hosts[strings.ToLower(name)]; ok {
		if ap, err := netip.ParseAddrPort(to); err == nil {
			return ap.Addr().IsLoopback()
		}
		name = strings.Trim(to, "[]")
	}
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Flags makes the flags of options and of Config, named as k6 names them. FromFlags reads them.
func Flags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("options", pflag.ContinueOnError)
	fs.SortFlags = false
	loadFlags(fs)
	httpFlags(fs)
	resultFlags(fs)
	configFlags(fs)
	return fs
}

func loadFlags(fs *pflag.FlagSet) {
	fs.Int64P("vus", "u", 1, "how many virtual users work at once")
	length(fs, "duration", "d", "how long they work")
	fs.Int64P("iterations", "i", 0, "how many iterations they share")
	fs.StringSliceP("stage", "s", nil, "go to a number of virtual users within a time, as a `stage` [duration]:[target]; may be repeated")
	fs.String("execution-segment", "", "do only this part of the test, for example 10%, 1/3, 0.2:2/3")
	fs.String("execution-segment-sequence", "", "where the parts of the whole test begin and end, for example 0,1/3,2/3,1")
	fs.BoolP("paused", "p", false, "wait to be started through the REST API")
	fs.Bool("no-setup", false, "leave out setup()")
	fs.Bool("no-teardown", false, "leave out teardown()")
	length(fs, "min-iteration-duration", "", "make every iteration last at least this long")
}

func httpFlags(fs *pflag.FlagSet) {
	fs.Int64("max-redirects", 10, "how many redirects a request follows")
	fs.Int64("batch", 20, "how many requests of an http.batch() are under way at once")
	fs.Int64("batch-per-host", 6, "how many of them go to one host")
	fs.Int64("rps", 0, "limit the requests per second of the whole test (0: no limit)")
	fs.String("user-agent", "", "what requests send as User-Agent")
	fs.String("http-debug", "", "log requests and responses: headers, or full for bodies as well")
	fs.Lookup("http-debug").NoOptDefVal = "headers"
	fs.Bool("insecure-skip-tls-verify", false, "take any TLS certificate")
	fs.Bool("no-connection-reuse", false, "close each connection after one request")
	fs.Bool("no-vu-connection-reuse", false, "close connections at the end of each iteration")
	fs.BoolP("throw", "w", false, "make failed requests throw")
	fs.StringSlice("blacklist-ip", nil, "refuse connections into an `ip range` (CIDR); may be repeated")
	fs.StringSlice("block-hostnames", nil, "refuse requests to hosts that match a `pattern` such as *.example.com; may be repeated")
	fs.Bool("discard-response-bodies", false, "read response bodies but do not keep them")
	fs.String("local-ips", "", "source addresses that virtual users take in turn: addresses, ranges and networks, "+
		"for example 192.168.220.1,192.168.0.10-192.168.0.25,fd:1::0/120")
	fs.String("dns", "ttl=5m,select=random,policy=preferIPv4", "how names are resolved: ttl (inf, 0 or a duration), "+
		"select (first, random, roundRobin), policy (preferIPv4, preferIPv6, onlyIPv4, onlyIPv6, any)")
}

func resultFlags(fs *pflag.FlagSet) {
	d := Defaults()
	fs.StringSlice("summary-trend-stats", nil, "which `stats` of trends the summary shows, for example avg,p(95),count (default "+
		strings.Join(d.SummaryTrendStats, ",")+")")
	fs.String("summary-time-unit", "", "the unit of times in the summary: s, ms or us (default: whichever fits)")
	fs.StringSlice("system-tags", nil, "which `tags` samples carry of those that the tool itself sets (default "+strings.Join(d.SystemTags, ",")+")")
	fs.StringArray("tag", nil, "a `tag` for every sample, as name=value; may be repeated")
	fs.String("console-output", "", "write console messages of the script to this file")
}

func configFlags(fs *pflag.FlagSet) {
	fs.StringArrayP("out", "o", nil, "send the measurements to an output, as a `uri` name[=argument]: json=FILE, csv=FILE, influxdb=URL, experimental-prometheus-rw; may be repeated")
	fs.BoolP("linger", "l", false, "stay, with the REST API, after the end of the test until interrupted")
	fs.Bool("no-usage-report", false, "send no usage report (none is ever sent)")
	fs.StringSlice("features", nil, "switch on feature `flags` ("+strings.Join(KnownFeatures(), ", ")+")")
}

// length is a flag for a time with a unit.
func length(fs *pflag.FlagSet, name, short, usage string) {
	fs.VarP(new(lengthValue), name, short, usage)
}

type lengthValue time.Duration

func (l *lengthValue) String() string {
	if *l == 0 {
		return "" // pflag then shows no default
	}
	return time.Duration(*l).String()
}
func (l *lengthValue) Type() string { return "duration" }
func (l *lengthValue) Set(s string) error {
	d, err := parseUnits(s)
	*l = lengthValue(d)
	return err
}

// FromFlags reads what was given of the flags that Flags made. Mistakes come back all at once, as a fault.Other: k6 ends
// with code 255 for them.
func FromFlags(fs *pflag.FlagSet) (Config, error) {
	var c Config
	var errs []error
	fs.Visit(func(f *pflag.Flag) {
		if err := c.fromFlag(f); err != nil {
			errs = append(errs, err)
		}
	})
	return c, other(errors.Join(errs...))
}

// fromFlag takes one given flag over; flags that are not ours are passed by.
func (c *Config) fromFlag(f *pflag.Flag) (err error) {
	texts := func() []string {
		v, _ := f.Value.(pflag.SliceValue)
		return append([]string{}, v.GetSlice()...)
	}
	switch f.Name {
	case "stage":
		c.Stages, err = parseStages(texts(), parseUnits)
	case "blacklist-ip":
		for _, s := range texts() {
			if _, err := parsePrefixes([]string{s}); err != nil {
				return fmt.Errorf("error parsing blacklist-ip '%s': invalid CIDR address: %s", s, s)
			}
		}
		c.BlacklistIPs, err = parsePrefixes(texts())
	case "block-hostnames":
		c.BlockHostnames, err = checkHostnames(texts())
	case "dns":
		if s := f.Value.String(); s != "" {
			err = c.DNS.parse(s)
		}
	case "summary-trend-stats":
		c.SummaryTrendStats = texts()
		err = CheckTrendStats(c.SummaryTrendStats)
	case "summary-time-unit":
		if s := f.Value.String(); !slices.Contains([]string{"", "s", "ms", "us"}, s) {
			return fmt.Errorf("invalid summary time unit '%s', use 's', 'ms' or 'us'", s)
		}
		c.SummaryTimeUnit = Some(f.Value.String())
	case "system-tags":
		c.SystemTags, err = knownSystemTags(texts())
	case "tag":
		c.Tags, err = parseTags(texts())
	case "out":
		c.Out = texts()
	case "features":
		c.Features = texts()
	default:
		return c.fromScalar(f)
	}
	return err
}

func parseTags(pairs []string) (map[string]string, error) {
	tags := map[string]string{}
	for _, pair := range pairs {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case name == "":
			return nil, fmt.Errorf("error parsing tag '%s': invalid tag, empty name", pair)
		case value == "":
			return nil, fmt.Errorf("error parsing tag '%s': invalid tag, empty value", pair)
		}
		tags[name] = value
	}
	return tags, nil
}

// fromScalar finds the option of the same name in the table: --max-redirects is maxRedirects.
func (c *Config) fromScalar(f *pflag.Flag) error {
	key := strings.ToLower(strings.ReplaceAll(f.Name, "-", ""))
	for _, field := range c.fields() {
		if strings.ToLower(field.key) != key {
			continue
		}
		switch ref := field.ref.(type) {
		case *Opt[time.Duration]:
			if l, ok := f.Value.(*lengthValue); ok {
				*ref = Some(time.Duration(*l))
			}
		case *Opt[string]:
			if s := f.Value.String(); s == "" {
				*ref = Some(s)
				return nil
			}
			quoted, _ := json.Marshal(f.Value.String())
			return errors.Join(field.in("--"+f.Name, quoted)...)
		default:
			return errors.Join(field.in("--"+f.Name, []byte(f.Value.String()))...)
		}
	}
	return nil
}

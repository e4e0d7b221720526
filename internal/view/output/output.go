package output

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"throng/internal/metric"
	"throng/internal/view/output/csvout"
	"throng/internal/view/output/influxout"
	"throng/internal/view/output/jsonout"
	"throng/internal/view/output/promout"
	"throng/internal/view/output/stream"
)

// Output takes samples. The calls come in this order: Start; Run in a goroutine of the caller, and Add meanwhile; then,
// when Run has returned, Stop.
type Output interface {
	// Describe is what the header of a run says: "json (samples.ndjson)".
	Describe() string
	// Start opens what the output writes to.
	Start(Definitions) error
	// Run flushes from time to time until ctx is done. Its error is the first that writing gave; samples are dropped
	// after that.
	Run(ctx context.Context) error
	// Add takes samples, which must not change afterwards. It may write, and so wait, when much has come since the last
	// flush; it is called by one goroutine at a time.
	Add([]metric.Sample)
	// AddLines takes whole lines that an output of the same kind formatted in another process, whose Env had a Sink; header
	// and definitions are written once, however many processes send them. It may write, as Add may.
	AddLines(lines []byte)
	// Flush writes all that Add has taken; to a server, as far as it takes that within push.Patience, and for the last time but
	// for Stop.
	Flush() error
	// Stop writes what is left, as Flush does, closes, and returns the first error there was.
	Stop() error
}

// Definitions is what a run says of its samples before the first comes.
type Definitions = stream.Definitions

// Env is what an output may use of the process around it.
type Env = stream.Env

// Kind is one way to send samples elsewhere.
type Kind struct {
	// Make makes an output from the text behind `name=`. It opens nothing: that is Start's.
	Make func(arg string, env Env) (Output, error)
	// Network says that the output writes to a server: on a grid each node does, for its own samples. Others write a file, which
	// is the submitter's; Lines of theirs travel.
	Network bool
	// Argument says that what stands behind `name=` is its usual setting.
	Argument bool
	// Env is how the environment variables begin that Make reads.
	Env string
}

// Kinds lists every output this binary has. Add yours here.
func Kinds() map[string]Kind {
	return map[string]Kind{
		"json": {Make: func(arg string, env Env) (Output, error) { return jsonout.New(arg, env), nil }, Argument: true, Env: "K6_JSON_"},
		"csv":  {Make: func(arg string, env Env) (Output, error) { return made(csvout.New(arg, env)) }, Argument: true, Env: "K6_CSV_"},
		"influxdb": {
			Make: func(arg string, env Env) (Output, error) { return made(influxout.New(arg, env)) }, Network: true, Argument: true, Env: "K6_INFLUXDB_",
		},
		"experimental-prometheus-rw": {
			Make: func(arg string, env Env) (Output, error) { return made(promout.New(arg, env)) }, Network: true, Env: "K6_PROMETHEUS_RW_",
		},
	}
}

// made keeps a nil pointer from becoming an Output.
func made[O Output](o O, err error) (Output, error) {
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Find returns the kind that spec, the value of one --out, names.
func Find(spec string) (Kind, bool) {
	name, _, _ := strings.Cut(spec, "=")
	k, ok := Kinds()[name]
	return k, ok
}

// elsewhere says for outputs that k6 has or had and we have not, what to use.
func elsewhere() map[string]string {
	const collector = "send the file of --out json to it, or use an OpenTelemetry collector in between"
	return map[string]string{
		"kafka":                      "there is no kafka output: " + collector,
		"statsd":                     "there is no statsd output: " + collector,
		"datadog":                    "there is no datadog output: " + collector,
		"cloud":                      "there is no cloud output: results stay with you; use --out json, --out csv or --summary-export",
		"opentelemetry":              "there is no opentelemetry output yet: use --out json",
		"experimental-opentelemetry": "there is no opentelemetry output yet: use --out json",
		"web-dashboard":              "there is no web-dashboard output yet: use --summary-export for the figures",
	}
}

// Make makes the output that spec, the value of one --out, asks for.
func Make(spec string, env Env) (Output, error) {
	name, arg, _ := strings.Cut(spec, "=")
	kinds := Kinds()
	kind, ok := kinds[name]
	if !ok {
		if hint, known := elsewhere()[name]; known {
			return nil, fmt.Errorf("could not create the '%s' output: %w", name, errors.New(hint))
		}
		return nil, fmt.Errorf("invalid output type '%s', available types are: %s", name, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	o, err := kind.Make(arg, env)
	if err != nil {
		return nil, fmt.Errorf("could not create the '%s' output: %w", name, err)
	}
	return o, nil
}

package plan

import (
	"encoding/json"
	"net/netip"
	"time"

	"throng/internal/threshold"
)

// Options is everything that k6 v2.2 lets a test set, each unset until a layer sets it
// (https://grafana.com/docs/k6, "Options reference").
type Options struct {
	Paused     Opt[bool]
	VUs        Opt[int64]
	Duration   Opt[time.Duration]
	Iterations Opt[int64]
	Stages     []StageConfig             // nil: unset
	Scenarios  map[string]ScenarioConfig // nil: unset

	ExecutionSegment         Opt[string] // in the normal form of package segment, such as 0:1/3
	ExecutionSegmentSequence Opt[string]

	NoSetup, NoTeardown                                 Opt[bool]
	SetupTimeout, TeardownTimeout, HandleSummaryTimeout Opt[time.Duration]

	RPS                   Opt[int64]
	DNS                   DNS
	MaxRedirects          Opt[int64]
	UserAgent             Opt[string]
	Batch, BatchPerHost   Opt[int64]
	HTTPDebug             Opt[string]
	InsecureSkipTLSVerify Opt[bool]
	TLSVersion            *TLSVersions
	TLSCipherSuites       []string
	TLSAuth               []*TLSAuth
	Throw                 Opt[bool]
	Thresholds            map[string][]threshold.Threshold // key: metric or metric{tag:value,...}
	BlacklistIPs          []netip.Prefix
	BlockHostnames        []string
	Hosts                 map[string]string // name, *.name or name:port to ip or ip:port
	NoConnectionReuse     Opt[bool]
	NoVUConnectionReuse   Opt[bool]
	NoCookiesReset        Opt[bool]
	MinIterationDuration  Opt[time.Duration]
	DiscardResponseBodies Opt[bool]
	LocalIPs              Opt[string] // see ParseLocalIPs

	SummaryTrendStats       []string
	SummaryTimeUnit         Opt[string]
	SystemTags              []string // nil: unset; sorted
	Tags                    map[string]string
	MetricSamplesBufferSize Opt[int64]
	ConsoleOutput           Opt[string]

	Cloud, Ext json.RawMessage // passed through
	Features   []string
}

// DNS is how names become addresses.
type DNS struct {
	TTL    Opt[string] // inf, 0 or a duration
	Select Opt[string] // first, random, roundRobin
	Policy Opt[string] // preferIPv4, preferIPv6, onlyIPv4, onlyIPv6, any
}

// TLSVersions bounds the TLS versions, as names (tls1.0 to tls1.3; "" is unbounded).
type TLSVersions struct{ Min, Max string }

// TLSAuth is a client certificate.
type TLSAuth struct {
	Cert     string   `json:"cert"` // PEM
	Key      string   `json:"key"`  // PEM
	Password string   `json:"password,omitempty"`
	Domains  []string `json:"domains"`
}

// Config is what a layer can set beyond the options of the test itself.
type Config struct {
	Options
	Out                                                  []string // name or name=argument, of every output
	Linger, NoUsageReport, WebDashboard, NoArchiveUpload Opt[bool]
	Collectors                                           map[string]json.RawMessage // settings of outputs, by name
}

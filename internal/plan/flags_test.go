package plan

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"throng/internal/fault"
)

func given(t *testing.T, args ...string) Config {
	t.Helper()
	fs := Flags()
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	c, err := FromFlags(fs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func environment(pairs ...string) func(string) (string, bool) {
	m := map[string]string{}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		m[k] = v
	}
	return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
}

func TestFlagsSetWhatTheyName(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", `{}`}, {"-u 2 -d 1m30s -i 5", `{"vus":2,"duration":"1m30s","iterations":5}`}, {"-s 1s:5,2s:6 --stage 3s:7 -s 1m", `{"stages":[{"duration":"1s","target":5},{"duration":"2s","target":6},{"duration":"3s","target":7},{"duration":"1m0s","target":null}]}`},
		{"-p --no-setup=false --no-teardown -w --insecure-skip-tls-verify", `{"paused":true,"noSetup":false,"noTeardown":true,"insecureSkipTLSVerify":true,"throw":true}`},
		{"--execution-segment 25%:1/2 --execution-segment-sequence 0,1/4,0.5,1", `{"executionSegment":"1/4:1/2","executionSegmentSequence":"0,1/4,1/2,1"}`},
		{"--max-redirects 1 --batch 2 --batch-per-host 3 --rps 4 --user-agent me --http-debug", `{"rps":4,"maxRedirects":1,"userAgent":"me","batch":2,"batchPerHost":3,"httpDebug":"headers"}`},
		{"--http-debug=full --no-connection-reuse --no-vu-connection-reuse --min-iteration-duration 5s --discard-response-bodies",
			`{"httpDebug":"full","noConnectionReuse":true,"noVUConnectionReuse":true,"minIterationDuration":"5s","discardResponseBodies":true}`},
		{"--blacklist-ip 10.0.0.0/8,11.0.0.0/8 --blacklist-ip ::/8 --block-hostnames a,*.b --local-ips 1.2.3.4 --dns ttl=1m",
			`{"dns":{"ttl":"1m","select":null,"policy":null},"blacklistIPs":["10.0.0.0/8","11.0.0.0/8","::/8"],"blockHostnames":["a","*.b"],"localIPs":"1.2.3.4"}`},
		{"--summary-trend-stats avg,p(95) --summary-time-unit us --system-tags url,vu --system-tags status --tag a=b=c --tag d=1,2 --console-output f",
			`{"summaryTrendStats":["avg","p(95)"],"summaryTimeUnit":"us","systemTags":["status","url","vu"],"tags":{"a":"b=c","d":"1,2"},"consoleOutput":"f"}`},
		{"-o json=a,b -o csv -l --no-usage-report --features merge-run-tags,freeze-env",
			`{"features":["merge-run-tags","freeze-env"],"out":["json=a,b","csv"],"linger":true,"noUsageReport":true}`},
	} {
		c := given(t, strings.Fields(tt.args)...)
		got := string(writeObject(c.fields(), field.isSet))
		if got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.args, got, tt.want)
		}
	}
	if c := given(t, "--user-agent", "", "-s", ""); !c.UserAgent.Set || c.UserAgent.V != "" || c.Stages == nil || len(c.Stages) != 0 {
		t.Errorf("empty values: %+v", c)
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"-s :5": "stage 0 doesn't have a specified duration", "-s x:5": `error for stage 0: time: invalid duration "x"`, "-s 10:5": `missing unit in duration "10"`,
		"--dns ttl=1m,select=x": "x does not belong to DNSSelect values", "--dns x=1": "unknown DNS configuration field: x", "--dns ttl": "no value for key ttl",
		"--blacklist-ip x": "error parsing blacklist-ip 'x': invalid CIDR address: x", "--block-hostnames a*b": "invalid hostname pattern 'a*b'",
		"--summary-trend-stats foo": "invalid trend stat 'foo', unknown format", "--summary-time-unit x": "invalid summary time unit 'x', use 's', 'ms' or 'us'",
		"--local-ips x": "x is not a valid IP, IP range or CIDR", "--execution-segment x": "'x' is not a valid percentage", "--tag a": "error parsing tag 'a': invalid tag, empty value",
		"--tag =a": "error parsing tag '=a': invalid tag, empty name", "--execution-segment-sequence x": "at least 2 points are needed",
	} {
		fs := Flags()
		if err := fs.Parse(strings.Fields(args)); err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if _, err := FromFlags(fs); err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Other {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	for args, want := range map[string]string{"-d 5": `invalid argument "5" for "-d, --duration" flag: time: missing unit in duration "5"`, "--iteration 5": "unknown flag: --iteration",
		"-u x": `strconv.ParseInt: parsing "x": invalid syntax`} {
		if err := Flags().Parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestEnvironmentSetsOptions(t *testing.T) {
	for _, tt := range []struct{ pair, want string }{
		{"K6_VUS=3", `{"vus":3}`}, {"K6_VUS=", `{}`}, {"K6_STAGES=1s:1,0:0", `{"stages":[{"duration":"1s","target":1},{"duration":"0s","target":0}]}`}, {"K6_STAGES=", `{"stages":[]}`},
		{"K6_NO_SETUP=true", `{"noSetup":true}`}, {"K6_NO_SETUP=null", `{}`}, {"K6_DNS=ttl=5", `{"dns":{"ttl":"5","select":null,"policy":null}}`}, {"K6_SETUP_TIMEOUT=10", `{"setupTimeout":"10ms"}`},
		{"K6_TLS_CIPHER_SUITES=TLS_AES_128_GCM_SHA256", `{"tlsCipherSuites":["TLS_AES_128_GCM_SHA256"]}`}, {"K6_THRESHOLDS=", `{"thresholds":{}}`},
		{`K6_THRESHOLDS={"a":["rate>1"]}`, `{"thresholds":{"a":["rate>1"]}}`}, {"K6_BLOCK_HOSTNAMES=*.a,b", `{"blockHostnames":["*.a","b"]}`}, {"K6_BLOCK_HOSTNAMES=", `{}`},
		{"K6_TAGS=a:b,c:d", `{"tags":{"a":"b","c":"d"}}`}, {"K6_TAGS=", `{}`}, {"K6_SYSTEM_TAGS=url,status", `{"systemTags":["status","url"]}`}, {"K6_SUMMARY_TREND_STATS=", `{"summaryTrendStats":[]}`},
		{"K6_LOCAL_IPS=1.2.3.4", `{"localIPs":"1.2.3.4"}`}, {"K6_OUT=json=a,csv", `{"out":["json=a","csv"]}`}, {"K6_WEB_DASHBOARD=true", `{"webDashboard":true}`},
		{"K6_SCENARIOS={}", `{}`}, {"K6_EXECUTION_SEGMENT=1/3", `{}`}, {"K6_TLS_VERSION=tls1.2", `{}`}, {"THRONG_RPS=5", `{"rps":5}`}, {"K6_FEATURES=a,b", `{"features":["a","b"]}`},
		{`K6_HOSTS={"a":"1.2.3.4"}`, `{"hosts":{"a":"1.2.3.4"}}`}, {"K6_BLACKLIST_IPS=10.0.0.0/8", `{"blacklistIPs":["10.0.0.0/8"]}`},
	} {
		c, err := FromEnv(environment(tt.pair))
		if got := string(writeObject(c.fields(), field.isSet)); err != nil || got != tt.want {
			t.Errorf("%s: %s %v, want %s", tt.pair, got, err, tt.want)
		}
	}
	if c, err := FromEnv(environment("K6_RPS=4", "THRONG_RPS=5")); err != nil || c.RPS.V != 5 {
		t.Errorf("THRONG_ does not win: %v %v", c.RPS, err)
	}
}

func TestBadEnvironmentIsRefused(t *testing.T) {
	for pair, want := range map[string]string{
		"K6_VUS=x": `assigning K6_VUS to vus: converting 'x': strconv.ParseInt: parsing "x": invalid syntax`, "K6_NO_SETUP=1": "invalid input:1", "K6_TAGS=a=b": `invalid map item: "a=b"`,
		"K6_DNS=x": "no value for key x", "K6_LOCAL_IPS=127": "127 is not a valid IP, IP range or CIDR", "K6_DURATION=x": `time: invalid duration "x"`, "K6_BLACKLIST_IPS=1.2.3.4": "failed to parse CIDR '1.2.3.4'",
		"K6_STAGES=x": "time: invalid duration", "K6_LINGER=x": "converting 'x'", "K6_THRESHOLDS=x": "cannot unmarshal", "THRONG_VUS=x": "assigning THRONG_VUS",
	} {
		if _, err := FromEnv(environment(pair)); err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.InvalidConfig {
			t.Errorf("%s: %v, want %q", pair, err, want)
		}
	}
}

func TestRuntimeComesFromFlagsThenEnvironment(t *testing.T) {
	fs := RuntimeFlags(true)
	if err := fs.Parse(strings.Fields("-e FIRST=one --env SECOND=a=b -e EMPTY= -e BARE -e LAST=x -e LAST=y --summary-mode full -t js")); err != nil {
		t.Fatal(err)
	}
	r, warnings, err := RuntimeFrom(fs, environment("K6_SUMMARY_MODE=disabled", "K6_NO_THRESHOLDS=1", "K6_COMPATIBILITY_MODE=base", "THRONG_SUMMARY_EXPORT=f"))
	want := Runtime{Env: map[string]string{"FIRST": "one", "SECOND": "a=b", "EMPTY": "", "BARE": "", "LAST": "y"}, IncludeSystemEnv: true, CompatibilityMode: "base", Type: "js",
		NoThresholds: true, SummaryMode: "full", SummaryExport: "f", TracesOutput: "none"}
	if err != nil || warnings != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("%+v %q %v", r, warnings, err)
	}
	env := r.ScriptEnv([]string{"LAST=system", "OTHER=1"})
	if got := slices.Sorted(maps.Keys(env)); len(got) != 6 || env["LAST"] != "y" || env["OTHER"] != "1" {
		t.Errorf("%v", env)
	}
	for args, want := range map[string]string{"-e =x": "invalid environment variable name ''", "-e 1A=x": "invalid environment variable name '1A'", "--summary-mode legacy": "invalid summary mode",
		"--compatibility-mode x": `invalid compatibility mode "x". Use: "extended", "base", "experimental_enhanced"`} {
		fs := RuntimeFlags(false)
		if err := fs.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := RuntimeFrom(fs, environment()); err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Other {
			t.Errorf("%s: %v", args, err)
		}
	}
	if _, _, err := RuntimeFrom(RuntimeFlags(false), environment("K6_NO_THRESHOLDS=x")); err == nil || !strings.Contains(err.Error(), "env var 'K6_NO_THRESHOLDS' is not a valid boolean value") {
		t.Error(err)
	}
}

func TestFilledHasAValueForEverything(t *testing.T) {
	o := Options{Batch: Some[int64](4), DNS: DNS{TTL: Some("0")}}.Filled("agent/1")
	if o.Batch.V != 4 || o.BatchPerHost.V != 6 || o.MaxRedirects.V != 10 || o.UserAgent.V != "agent/1" || o.SetupTimeout.V != time.Minute ||
		o.HandleSummaryTimeout.V != 2*time.Minute || o.DNS.TTL.V != "0" || o.DNS.Policy.V != "preferIPv4" {
		t.Errorf("%s", o.Encode())
	}
}

package plan

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"throng/internal/fault"
	"throng/internal/threshold"
)

const inspected = `{
	"scenarios": {
		"ramp": {"executor": "ramping-vus", "stages": [{"duration": "10s", "target": 5}], "gracefulRampDown": "1s", "env": {"WHO": "me"}},
		"rate": {"executor": "constant-arrival-rate", "rate": 5, "duration": "1m", "preAllocatedVUs": 3, "maxVUs": 7, "startTime": "5s", "tags": {"x": "y"}, "exec": "other"}
	},
	"thresholds": {"http_req_duration": ["p(95)<500", {"threshold": "avg<100", "abortOnFail": true, "delayAbortEval": "10s"}]},
	"tags": {"team": "a"}, "hosts": {"x.test": "10.0.0.1"}, "setupTimeout": 90000,
	"dns": {"ttl": "1m", "select": "first", "policy": "onlyIPv4"}, "userAgent": "me", "insecureSkipTLSVerify": true,
	"summaryTrendStats": ["avg", "p(99)"], "systemTags": ["url", "status"], "unknown": 1
}`

func parse(t *testing.T, data string) Options {
	t.Helper()
	o, _, err := ParseJSON([]byte(data), "options")
	if err != nil {
		t.Fatalf("ParseJSON(%s): %v", data, err)
	}
	return o
}

func TestInspectShowsEveryKey(t *testing.T) {
	out, err := json.Marshal(parse(t, inspected))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"batch", "batchPerHost", "blacklistIPs", "blockHostnames", "discardResponseBodies", "duration", "executionSegment",
		"executionSegmentSequence", "ext", "features", "handleSummaryTimeout", "httpDebug", "iterations", "maxRedirects", "metricSamplesBufferSize",
		"minIterationDuration", "noConnectionReuse", "noCookiesReset", "noSetup", "noTeardown", "noVUConnectionReuse", "paused", "rps", "stages",
		"summaryTimeUnit", "teardownTimeout", "throw", "tlsAuth", "tlsCipherSuites", "tlsVersion", "vus"} {
		if v, ok := got[key]; !ok || v != nil {
			t.Errorf("%s is %v (there: %v), want null", key, v, ok)
		}
		delete(got, key)
	}
	want := `{"dns":{"policy":"onlyIPv4","select":"first","ttl":"1m"},"hosts":{"x.test":"10.0.0.1"},"insecureSkipTLSVerify":true,` +
		`"scenarios":{"ramp":{"env":{"WHO":"me"},"exec":null,"executor":"ramping-vus","gracefulRampDown":"1s","gracefulStop":null,` +
		`"stages":[{"duration":"10s","target":5}],"startTime":null,"startVUs":null,"tags":null},` +
		`"rate":{"duration":"1m0s","env":null,"exec":"other","executor":"constant-arrival-rate","gracefulStop":null,"maxVUs":7,"preAllocatedVUs":3,` +
		`"rate":5,"startTime":"5s","tags":{"x":"y"},"timeUnit":null}},"setupTimeout":"1m30s","summaryTrendStats":["avg","p(99)"],` +
		`"systemTags":["status","url"],"tags":{"team":"a"},` +
		`"thresholds":{"http_req_duration":["p(95)<500",{"abortOnFail":true,"delayAbortEval":"10s","threshold":"avg<100"}]},"userAgent":"me"}`
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	if s := strings.TrimSpace(b.String()); s != want {
		t.Errorf("set keys:\n%s\nwant\n%s", s, want)
	}
}

func TestScriptSeesScenariosInPlaceOfShortcuts(t *testing.T) {
	o, _, err := parse(t, `{"vus": 2, "duration": "1s", "cloud": {"a": 1}}`).WithScenarios()
	if err != nil {
		t.Fatal(err)
	}
	o.LocalIPs = Some("127.0.0.1")
	var got map[string]json.RawMessage
	if err := json.Unmarshal(o.ScriptJSON(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"vus", "duration", "iterations", "stages"} {
		if _, ok := got[key]; ok {
			t.Errorf("%s is shown", key)
		}
	}
	want := `{"default":{"executor":"constant-vus","startTime":null,"gracefulStop":null,"env":null,"exec":null,"tags":null,"vus":2,"duration":"1s"}}`
	for key, want := range map[string]string{"scenarios": want, "localIPs": `"127.0.0.1"`, "consoleOutput": "null", "cloud": `{"a":1}`, "dns": `{"ttl":null,"select":null,"policy":null}`} {
		if string(got[key]) != want {
			t.Errorf("%s: %s, want %s", key, got[key], want)
		}
	}
}

func TestOddSpellingsMeanWhatTheyMeanInK6(t *testing.T) {
	for _, tt := range []struct{ in, key, want string }{
		{`{"vus": "3"}`, "vus", `3`}, {`{"VUs": 3.0}`, "vus", `3`}, {`{"duration": 1500}`, "duration", `"1.5s"`}, {`{"duration": "1d2h"}`, "duration", `"26h0m0s"`},
		{`{"duration": "10"}`, "duration", `"10ms"`}, {`{"duration": 0.0015}`, "duration", `"1.5µs"`},
		{`{"executionSegment": "20%:0.7"}`, "executionSegment", `"1/5:7/10"`}, {`{"executionSegmentSequence": "0,0.5,1"}`, "executionSegmentSequence", `"0,1/2,1"`},
		{`{"tlsVersion": "tls1.2"}`, "tlsVersion", `{"min":"tls1.2","max":"tls1.2"}`}, {`{"tlsVersion": {"min": "tls1.1"}}`, "tlsVersion", `{"min":"tls1.1","max":""}`},
		{`{"blacklistIPs": ["10.1.2.3/8", "::1/64"]}`, "blacklistIPs", `["10.0.0.0/8","::/64"]`}, {`{"systemTags": ["vu", "none", "ip"]}`, "systemTags", `["ip","vu"]`},
		{`{"systemTags": []}`, "systemTags", `null`}, {`{"stages": [{"duration": "1s"}, {"target": 2, "x": 1}]}`, "stages", `[{"duration":"1s","target":null},{"duration":null,"target":2}]`},
		{`{"stages": []}`, "stages", `[]`}, {`{"hosts": {"UP.x": "1.2.3.4"}}`, "hosts", `{"up.x":"1.2.3.4"}`}, {`{"tags": {"a": null}}`, "tags", `{"a":""}`},
		{`{"thresholds": {"a": null, "b": [{"threshold": "x", "delayAbortEval": 5}]}}`, "thresholds", `{"a":[],"b":["x"]}`}, {`{"userAgent": ""}`, "userAgent", `""`},
		{`{"scenarios": {"a": {"executor": "shared-iterations", "options": {"browser": {"type": "chromium"}}}}}`, "scenarios",
			`{"a":{"executor":"shared-iterations","startTime":null,"gracefulStop":null,"env":null,"exec":null,"tags":null,"options":{"browser":{"type":"chromium"}},"vus":null,"iterations":null,"maxDuration":null}}`},
		{`{"tlsAuth": [{"cert": "c", "key": "k"}]}`, "tlsAuth", `[{"cert":"c","key":"k","password":null,"domains":null}]`}, {`{"noSetup": null}`, "noSetup", `null`},
	} {
		var got map[string]json.RawMessage
		out, _ := parse(t, tt.in).MarshalJSON()
		if err := json.Unmarshal(out, &got); err != nil || string(got[tt.key]) != tt.want {
			t.Errorf("%s: %s (%v), want %s", tt.in, got[tt.key], err, tt.want)
		}
	}
}

func TestMistakesInOptionsAreNamed(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"vus": 3.5}`, "vus: cannot unmarshal number 3.5"}, {`{"vus": true}`, "cannot unmarshal bool"}, {`{"vus": "x"}`, `strconv.ParseInt: parsing "x": invalid syntax`},
		{`{"vus": 1e30}`, "cannot unmarshal number 1e30"}, {`{"duration": "abc"}`, `time: invalid duration "abc"`}, {`{"duration": true}`, "'true' is not a valid duration value"},
		{`{"duration": ""}`, `time: invalid duration ""`}, {`{"paused": "yes"}`, "cannot unmarshal string"}, {`{"stages": {}}`, "cannot unmarshal object"},
		{`{"stages": ["1s:2"]}`, "stages[0]: cannot unmarshal string"}, {`{"scenarios": []}`, "cannot unmarshal array"},
		{`{"scenarios": {"a": {}}}`, "scenario 'a' doesn't have a specified executor type"}, {`{"scenarios": {"a": null}}`, "scenario 'a' doesn't have a specified executor type"},
		{`{"scenarios": {"a": {"executor": "every-other-tuesday"}}}`, "unknown executor type 'every-other-tuesday'"},
		{`{"scenarios": {"a": {"executor": "shared-iterations", "foo": 1}}}`, `scenarios.a: json: unknown field "foo"`},
		{`{"scenarios": {"a": {"executor": "shared-iterations", "env": {"A": 1}}}}`, "scenarios.a.env.A: cannot unmarshal number"},
		{`{"scenarios": {"a": {"executor": "shared-iterations", "options": {"x": 1}}}}`, `json: unknown field "x"`},
		{`{"executionSegment": "x"}`, "'x' is not a valid percentage, decimal, fraction or interval value"}, {`{"executionSegment": 0.5}`, "cannot unmarshal number"},
		{`{"dns": {"ttl": "x"}}`, "invalid DNS TTL: x"}, {`{"dns": {"select": "best"}}`, "best does not belong to DNSSelect values"},
		{`{"dns": {"policy": "x"}}`, "x does not belong to DNSPolicy values"}, {`{"dns": "ttl=1m"}`, "dns: cannot unmarshal string"},
		{`{"tlsCipherSuites": ["X"]}`, "unknown cipher suite 'X'"}, {`{"tlsVersion": "tls1.4"}`, "unknown TLS version 'tls1.4'"}, {`{"tlsVersion": {"foo": 1}}`, `unknown field "foo"`},
		{`{"thresholds": {"a": "rate>1"}}`, "thresholds.a: cannot unmarshal string"}, {`{"thresholds": {"a": [1]}}`, "thresholds.a[0]: cannot unmarshal number"},
		{`{"blacklistIPs": ["192.0.2.7"]}`, "failed to parse CIDR '192.0.2.7': invalid CIDR address: 192.0.2.7"}, {`{"blockHostnames": ["a*b"]}`, "invalid hostname pattern 'a*b'"},
		{`{"hosts": {"A:b": "1.2.3.4"}}`, "invalid host pattern 'a:b'"}, {`{"hosts": {"a": "b"}}`, "'b' is neither an IP address"}, {`{"tags": {"a": 1}}`, "tags.a: cannot unmarshal number"},
		{`{"summaryTrendStats": "avg"}`, "cannot unmarshal string"}, {`{"ext": 5}`, "cannot unmarshal number"}, {`5`, "cannot unmarshal number"}, {`[]`, "cannot unmarshal array"},
		{`{"vus": "a", "rps": "b"}`, `"b"`}, {`{"vus":`, "unexpected end of JSON input"}, {`{} x`, "there is more"},
	} {
		_, _, err := ParseJSON([]byte(tt.in), "options")
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "options: ") && !strings.HasPrefix(err.Error(), "options:\n") {
			t.Errorf("%s: %v, want %q", tt.in, err, tt.want)
		}
		if fault.KindOf(err) != fault.InvalidConfig {
			t.Errorf("%s: kind %v", tt.in, fault.KindOf(err))
		}
	}
}

func TestUnknownOptionsAreAWarning(t *testing.T) {
	o, warnings, err := ParseJSON([]byte(`{"iteration": 5, "iterations": 2, "unknownGroup": {}, "consoleOutput": "x", "features": ["a"]}`), "options")
	if err != nil || o.Iterations != Some[int64](2) || o.Features != nil || o.ConsoleOutput.Set {
		t.Errorf("%+v, %v", o, err)
	}
	want := `There were unknown fields in the options exported in the script: "consoleOutput", "iteration" (did you mean "iterations"?), "unknownGroup"`
	if len(warnings) != 2 || warnings[0] != want {
		t.Errorf("warnings %q", warnings)
	}
	if o, warnings, err := ParseJSON([]byte("null"), "options"); err != nil || warnings != nil || !reflect.DeepEqual(o, Options{}) {
		t.Errorf("null: %v %v %v", o, warnings, err)
	}
}

func TestConfigFileHasKeysOfItsOwn(t *testing.T) {
	c, err := ParseConfig([]byte(`{"vus": 2, "out": ["json"], "linger": true, "noUsageReport": true, "webDashboard": false,
		"collectors": {"a": {"x": 1}}, "features": ["freeze-env"], "localIPs": "::1", "foo": 1}`), "config.json")
	if err != nil || c.VUs.V != 2 || !slices.Equal(c.Out, []string{"json"}) || !c.Linger.V || !c.NoUsageReport.V || !c.WebDashboard.Set ||
		string(c.Collectors["a"]) != `{"x": 1}` || !c.Has(FreezeEnv) || c.LocalIPs.Set {
		t.Errorf("%+v, %v", c, err)
	}
	out, err := json.Marshal(c)
	var again Config
	if err != nil || json.Unmarshal(out, &again) != nil {
		t.Fatalf("%s %v", out, err)
	}
	again.Collectors, c.Collectors = nil, nil // white space differs
	if !reflect.DeepEqual(c, again) {
		t.Errorf("%s became %+v", out, again)
	}
	_, err = ParseConfig([]byte(`{"duration": "x"}`), "config.json")
	if err == nil || !strings.Contains(err.Error(), `couldn't parse the configuration from "config.json": duration: time: invalid duration "x"`) {
		t.Error(err)
	}
}

// random makes a value in which each option is set or not.
func random(r *rand.Rand) Options {
	var o Options
	word := func() string { return string(rune('a' + r.IntN(5))) }
	for _, f := range o.fields() {
		if r.IntN(3) > 0 {
			continue
		}
		switch ref := f.ref.(type) {
		case *Opt[bool]:
			*ref = Some(r.IntN(2) == 0)
		case *Opt[int64]:
			*ref = Some(r.Int64N(100) - 10)
		case *Opt[time.Duration]:
			*ref = Some(time.Duration(r.Int64N(1e12)))
		case *Opt[string]:
			*ref = Some(word())
		case *map[string]string:
			*ref = map[string]string{word(): "1.2.3.4"}
		case *[]string:
			*ref = []string{word()}
		}
	}
	for opt, choices := range map[*Opt[string]][]string{
		&o.ExecutionSegment: {"0:1/3", "1/2:1"}, &o.ExecutionSegmentSequence: {"0,1/2,1"}, &o.LocalIPs: {"10.0.0.1-10.0.0.9", "::1"},
		&o.DNS.TTL: {"inf", "0", "5m"}, &o.DNS.Select: {"first", "random"}, &o.DNS.Policy: {"any", "onlyIPv6"},
	} {
		if *opt = (Opt[string]{}); r.IntN(2) == 0 {
			*opt = Some(choices[r.IntN(len(choices))])
		}
	}
	for l, choices := range map[*[]string][]string{&o.SystemTags: {"status", "url"}, &o.TLSCipherSuites: {"TLS_AES_128_GCM_SHA256"}} {
		if *l != nil {
			*l = []string{choices[r.IntN(len(choices))]}
		}
	}
	some := func() bool { return r.IntN(3) == 0 }
	if some() {
		o.Stages = []StageConfig{{Some(time.Second), Some[int64](2)}, {Some(time.Minute), Opt[int64]{}}}[:r.IntN(3)]
	}
	if some() {
		o.Scenarios = map[string]ScenarioConfig{}
		for range r.IntN(3) {
			c := ScenarioConfig{Executor: Executors()[r.IntN(7)], StartTime: Some(time.Second), Tags: map[string]string{"a": word()}}
			for _, f := range c.fields() {
				if ref, ok := f.ref.(*Opt[int64]); ok && some() {
					*ref = Some(r.Int64N(9))
				}
			}
			o.Scenarios[word()] = c
		}
	}
	if some() {
		o.Thresholds = map[string][]threshold.Threshold{word(): {{Source: "rate>1"}, {Source: "count<2", AbortOnFail: true, DelayAbortEval: time.Second}}}
	}
	if some() {
		o.BlacklistIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	}
	if some() {
		o.TLSVersion, o.TLSAuth = &TLSVersions{Min: "tls1.1"}, []*TLSAuth{{Cert: "c", Key: "k", Password: "p", Domains: []string{"d"}}}
	}
	if some() {
		o.Ext, o.Cloud = json.RawMessage(`{"a":1}`), json.RawMessage(`5`)
	}
	return o
}

func TestEncodedOptionsComeBackEqual(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		o := random(r)
		back, err := Decode(o.Encode())
		if err != nil || !reflect.DeepEqual(o, back) {
			t.Fatalf("%v\n%s\nbecame\n%s", err, o.Encode(), back.Encode())
		}
	}
}

func TestShownOptionsAreReadTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		o := random(r)
		first, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseArchive(first, "metadata.json")
		second, _ := json.Marshal(back)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\nbecame\n%s", err, first, second)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(inspected))
	f.Add([]byte(`{"stages":[{}],"tlsVersion":"tls1.2","hosts":{"*.a:8":"[::1]:2"},"blacklistIPs":["::/0"],"tlsAuth":[{"domains":["a"]}]}`))
	f.Add([]byte(`{"duration":1e400,"vus":-0,"scenarios":{"":{"executor":"externally-controlled","options":{"browser":{}}}},"thresholds":{"":[{}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, _, err := ParseJSON(data, "fuzz")
		if err != nil {
			return
		}
		first, err := json.Marshal(o)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := ParseArchive(first, "fuzz")
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, first)
		}
		if second, _ := json.Marshal(back); !bytes.Equal(first, second) {
			t.Fatalf("%s\nbecame\n%s", first, second)
		}
		_ = Validate(o, nil) // must not panic
	})
}

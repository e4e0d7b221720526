package plan

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// twin merges by looking for each option from the top layer down.
func twin(layers []Options) Options {
	var o Options
	v := reflect.ValueOf(&o).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "DNS" {
			continue
		}
		for j := len(layers) - 1; j >= 0; j-- {
			f := reflect.ValueOf(layers[j]).Field(i)
			if isUnset(f) {
				shaped := layers[j].Duration.Set || layers[j].Iterations.Set || layers[j].Stages != nil || layers[j].Scenarios != nil
				if shaped && slices.Contains([]string{"Duration", "Iterations", "Stages", "Scenarios"}, name) {
					break
				}
				continue
			}
			v.Field(i).Set(f)
			break
		}
	}
	for _, l := range layers {
		if l.DNS.TTL.Set {
			o.DNS.TTL = l.DNS.TTL
		}
		if l.DNS.Select.Set {
			o.DNS.Select = l.DNS.Select
		}
		if l.DNS.Policy.Set {
			o.DNS.Policy = l.DNS.Policy
		}
	}
	return o
}

func isUnset(f reflect.Value) bool {
	if o, ok := f.Interface().(interface{ IsSet() bool }); ok {
		return !o.IsSet()
	}
	return f.IsNil()
}

func TestMergeAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		var layers []Layer
		var plain []Options
		for range 1 + r.IntN(4) {
			o := random(r)
			layers, plain = append(layers, Layer{"some", Config{Options: o}}), append(plain, o)
		}
		got, _ := Merge(layers...)
		if want := twin(plain); !reflect.DeepEqual(got.Options, want) {
			t.Fatalf("got\n%s\nwant\n%s", got.Encode(), want.Encode())
		}
	}
}

func TestEveryOptionIsInTheTable(t *testing.T) {
	var o Options
	refs := map[any]bool{}
	for _, f := range o.fields() {
		refs[f.ref] = true
		if f.env != "" && f.text == nil {
			t.Errorf("%s has a variable %s that nothing reads", f.key, f.env)
		}
	}
	v := reflect.ValueOf(&o).Elem()
	for i := range v.NumField() {
		if !refs[v.Field(i).Addr().Interface()] {
			t.Errorf("%s is not in the table", v.Type().Field(i).Name)
		}
	}
}

func TestHigherLayersWin(t *testing.T) {
	file, err := ParseConfig([]byte(`{"vus": 4, "iterations": 8, "batch": 1, "batchPerHost": 1, "rps": 111, "maxRedirects": 1, "userAgent": "from config",
		"tags": {"origin": "config"}, "summaryTrendStats": ["min", "med"], "setupTimeout": "11s"}`), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	script := parse(t, `{"vus": 3, "iterations": 6, "batchPerHost": 2, "rps": 222, "maxRedirects": 2, "userAgent": "from script", "tags": {"origin": "script"}}`)
	env, err := FromEnv(environment("K6_RPS=333", "K6_MAX_REDIRECTS=3", "K6_USER_AGENT=from env", "K6_VUS=2", "K6_ITERATIONS=7", "K6_NO_CONNECTION_REUSE=true"))
	if err != nil {
		t.Fatal(err)
	}
	flags := given(t, "--max-redirects", "4", "--tag", "origin=cli", "--tag", "cli=only", "-i", "5", "-u", "1")
	c, warnings := Consolidate(file, script, env, flags)
	if len(warnings) > 0 || c.Batch.V != 1 || c.BatchPerHost.V != 2 || c.RPS.V != 333 || c.MaxRedirects.V != 4 || c.UserAgent.V != "from env" ||
		c.SetupTimeout.V != 11*time.Second || len(c.Tags) != 2 || c.Tags["origin"] != "cli" || len(c.SummaryTrendStats) != 2 || !c.NoConnectionReuse.V ||
		c.Throw.Set || len(c.SystemTags) != 14 {
		t.Errorf("%s %v", c.Encode(), warnings)
	}
	all, err := Derive(c.Options)
	if err != nil || len(all) != 1 || all[0].Name != "default" || all[0].Executor != SharedIterations || all[0].VUs != 1 || all[0].Iterations != 5 {
		t.Errorf("%+v %v", all, err)
	}
}

func TestHigherLoadShapeReplacesLower(t *testing.T) {
	script := parse(t, `{"vus": 9, "scenarios": {"a": {"executor": "shared-iterations"}}}`)
	c, warnings := Consolidate(Config{}, script, Config{}, given(t, "-d", "2s"))
	if c.Scenarios != nil || c.Duration.V != 2*time.Second || c.VUs.V != 9 ||
		!slices.Equal(warnings, []string{`"cli" level configuration overrode scenarios configuration entirely`}) {
		t.Errorf("%s %q", c.Encode(), warnings)
	}
	c, warnings = Consolidate(Config{}, parse(t, `{"stages": [{"duration": "10s", "target": 1}, {"target": 2}, {"duration": "1s", "target": 3}]}`), Config{}, Config{})
	if len(c.Stages) != 2 || len(warnings) != 1 {
		t.Errorf("%s %q", c.Encode(), warnings)
	}
}

func TestFeatureMergesTags(t *testing.T) {
	script := Options{Tags: map[string]string{"a": "script", "b": "script"}}
	flags := Config{Options: Options{Tags: map[string]string{"a": "cli"}, Features: []string{MergeRunTags, "none"}}}
	c, _ := Consolidate(Config{}, script, Config{}, flags)
	want := map[string]string{"a": "cli", "b": "script", "k6_feature_merge_run_tags": "true"}
	if got := c.RunTags(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if w := c.UnknownFeatures(); len(w) != 1 || !strings.Contains(w[0], `"none"`) {
		t.Errorf("%q", w)
	}
}

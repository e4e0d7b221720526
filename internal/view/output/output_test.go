package output_test

import (
	"testing"

	"throng/internal/view/output"
)

func TestUnknownNamesGetK6sError(t *testing.T) {
	for spec, want := range map[string]string{
		"nope":           "invalid output type 'nope', available types are: csv, experimental-prometheus-rw, influxdb, json",
		"=x":             "invalid output type '', available types are: csv, experimental-prometheus-rw, influxdb, json",
		"kafka=a":        "could not create the 'kafka' output: there is no kafka output: send the file of --out json to it, or use an OpenTelemetry collector in between",
		"csv=timeFormat": "",
		"csv=a=b":        `could not create the 'csv' output: unknown key "a" as argument for csv output`,
		"json=x=y.json":  "",
	} {
		o, err := output.Make(spec, output.Env{})
		if got := text(err); got != want {
			t.Errorf("%s: %q, want %q", spec, got, want)
		}
		if err == nil && spec == "json=x=y.json" && o.Describe() != "json (x=y.json)" {
			t.Errorf("%s is %s", spec, o.Describe())
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

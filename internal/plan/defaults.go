package plan

import "time"

// Defaults is the lowest layer, which shows in exec.test.options and in archives: everything else that has a default
// stays unset there, as in k6. See Filled for all of them.
func Defaults() Options {
	return Options{
		SystemTags: []string{"check", "error", "error_code", "expected_response", "group", "method", "name", "proto", "scenario",
			"service", "status", "subproto", "tls_version", "url"},
		SummaryTrendStats: []string{"avg", "min", "med", "max", "p(90)", "p(95)"},
	}
}

// Filled returns the options with every default filled in, for those who act on them. The load shape stays as it is, since
// Derive answers for it; userAgent is what to send where none is set.
func (o Options) Filled(userAgent string) Options {
	d := Defaults()
	d.Paused, d.NoSetup, d.NoTeardown, d.Throw = Some(false), Some(false), Some(false), Some(false)
	d.SetupTimeout, d.TeardownTimeout, d.HandleSummaryTimeout = Some(time.Minute), Some(time.Minute), Some(2*time.Minute)
	d.RPS, d.MaxRedirects, d.Batch, d.BatchPerHost = Some[int64](0), Some[int64](10), Some[int64](20), Some[int64](6)
	d.DNS = DNS{TTL: Some("5m"), Select: Some("random"), Policy: Some("preferIPv4")}
	d.UserAgent, d.HTTPDebug, d.SummaryTimeUnit = Some(userAgent), Some(""), Some("")
	d.InsecureSkipTLSVerify, d.NoConnectionReuse, d.NoVUConnectionReuse = Some(false), Some(false), Some(false)
	d.NoCookiesReset, d.DiscardResponseBodies = Some(false), Some(false)
	d.MinIterationDuration, d.MetricSamplesBufferSize = Some(time.Duration(0)), Some[int64](1000)
	theirs := o.fields()
	for i, f := range d.fields() {
		f.take(theirs[i])
	}
	return d
}

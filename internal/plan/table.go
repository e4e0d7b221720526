package plan

// fields lists every option, in the order in which k6 writes them. Add yours here.
func (o *Options) fields() []field {
	return []field{
		boolean("paused", "PAUSED", &o.Paused),
		integer("vus", "VUS", &o.VUs).shown(shape),
		duration("duration", "DURATION", &o.Duration).shown(shape),
		integer("iterations", "ITERATIONS", &o.Iterations).shown(shape),
		stages("stages", "STAGES", &o.Stages).shown(shape),
		scenarios("scenarios", &o.Scenarios),
		checked("executionSegment", "", &o.ExecutionSegment, checkSegment),
		checked("executionSegmentSequence", "", &o.ExecutionSegmentSequence, checkSequence),
		boolean("noSetup", "NO_SETUP", &o.NoSetup),
		duration("setupTimeout", "SETUP_TIMEOUT", &o.SetupTimeout),
		boolean("noTeardown", "NO_TEARDOWN", &o.NoTeardown),
		duration("teardownTimeout", "TEARDOWN_TIMEOUT", &o.TeardownTimeout),
		duration("handleSummaryTimeout", "HANDLE_SUMMARY_TIMEOUT", &o.HandleSummaryTimeout),
		integer("rps", "RPS", &o.RPS),
		dns("dns", "DNS", &o.DNS),
		integer("maxRedirects", "MAX_REDIRECTS", &o.MaxRedirects),
		str("userAgent", "USER_AGENT", &o.UserAgent),
		integer("batch", "BATCH", &o.Batch),
		integer("batchPerHost", "BATCH_PER_HOST", &o.BatchPerHost),
		str("httpDebug", "HTTP_DEBUG", &o.HTTPDebug),
		boolean("insecureSkipTLSVerify", "INSECURE_SKIP_TLS_VERIFY", &o.InsecureSkipTLSVerify),
		list("tlsCipherSuites", "TLS_CIPHER_SUITES", &o.TLSCipherSuites, checkCipherSuites),
		tlsVersion("tlsVersion", &o.TLSVersion),
		tlsAuth("tlsAuth", "TLSAUTH", &o.TLSAuth),
		boolean("throw", "THROW", &o.Throw),
		thresholds("thresholds", "THRESHOLDS", &o.Thresholds),
		blacklist("blacklistIPs", "BLACKLIST_IPS", &o.BlacklistIPs),
		unlessEmpty(list("blockHostnames", "BLOCK_HOSTNAMES", &o.BlockHostnames, checkHostnames)),
		hosts("hosts", "HOSTS", &o.Hosts),
		boolean("noConnectionReuse", "NO_CONNECTION_REUSE", &o.NoConnectionReuse),
		boolean("noVUConnectionReuse", "NO_VU_CONNECTION_REUSE", &o.NoVUConnectionReuse),
		duration("minIterationDuration", "MIN_ITERATION_DURATION", &o.MinIterationDuration),
		passed("cloud", &o.Cloud, false).shown(whenSet),
		passed("ext", &o.Ext, true),
		list("summaryTrendStats", "SUMMARY_TREND_STATS", &o.SummaryTrendStats, checkTrendStats),
		str("summaryTimeUnit", "SUMMARY_TIME_UNIT", &o.SummaryTimeUnit),
		list("systemTags", "SYSTEM_TAGS", &o.SystemTags, knownSystemTags),
		runTags("tags", "TAGS", &o.Tags),
		integer("metricSamplesBufferSize", "METRIC_SAMPLES_BUFFER_SIZE", &o.MetricSamplesBufferSize),
		boolean("noCookiesReset", "NO_COOKIES_RESET", &o.NoCookiesReset),
		boolean("discardResponseBodies", "DISCARD_RESPONSE_BODIES", &o.DiscardResponseBodies),
		unlessEmpty(list("features", "FEATURES", &o.Features, anyList)),
		str("consoleOutput", "CONSOLE_OUTPUT", &o.ConsoleOutput).shown(hidden),
		checked("localIPs", "LOCAL_IPS", &o.LocalIPs, checkLocalIPs).shown(hidden),
	}
}

// fields lists the options and what only a config file, the environment and flags can set.
func (c *Config) fields() []field {
	return append(c.Options.fields(),
		unlessEmpty(list("out", "OUT", &c.Out, anyList)),
		boolean("linger", "LINGER", &c.Linger),
		boolean("noUsageReport", "NO_USAGE_REPORT", &c.NoUsageReport),
		boolean("webDashboard", "WEB_DASHBOARD", &c.WebDashboard),
		boolean("noArchiveUpload", "NO_ARCHIVE_UPLOAD", &c.NoArchiveUpload),
		collectors("collectors", &c.Collectors),
	)
}

// unlessEmpty leaves the option alone where the environment variable is empty; other lists become empty.
func unlessEmpty(f field) field {
	text := f.text
	f.text = func(s string) error {
		if s == "" {
			return nil
		}
		return text(s)
	}
	return f
}

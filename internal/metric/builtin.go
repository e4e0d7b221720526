package metric

// Builtin names the metrics that every run has (https://grafana.com/docs/k6, "Built-in metrics reference").
type Builtin struct {
	VUs, VUsMax                                      *Metric
	Iterations, IterationDuration, DroppedIterations *Metric
	Checks, GroupDuration                            *Metric
	HTTPReqs, HTTPReqFailed                          *Metric
	HTTPReqDuration, HTTPReqBlocked                  *Metric
	HTTPReqConnecting, HTTPReqTLSHandshaking         *Metric
	HTTPReqSending, HTTPReqWaiting                   *Metric
	HTTPReqReceiving                                 *Metric
	DataSent, DataReceived                           *Metric
}

// NewBuiltin defines the built-in metrics in r.
func NewBuiltin(r *Registry) *Builtin {
	def := func(name string, k Kind, c Contains) *Metric {
		m, err := r.Define(name, k, c)
		if err != nil {
			panic(err) // the names below are constants
		}
		return m
	}
	return &Builtin{
		VUs: def("vus", Gauge, Default), VUsMax: def("vus_max", Gauge, Default),
		Iterations: def("iterations", Counter, Default), IterationDuration: def("iteration_duration", Trend, Time),
		DroppedIterations: def("dropped_iterations", Counter, Default),
		Checks:            def("checks", Rate, Default), GroupDuration: def("group_duration", Trend, Time),
		HTTPReqs: def("http_reqs", Counter, Default), HTTPReqFailed: def("http_req_failed", Rate, Default),
		HTTPReqDuration: def("http_req_duration", Trend, Time), HTTPReqBlocked: def("http_req_blocked", Trend, Time),
		HTTPReqConnecting: def("http_req_connecting", Trend, Time), HTTPReqTLSHandshaking: def("http_req_tls_handshaking", Trend, Time),
		HTTPReqSending: def("http_req_sending", Trend, Time), HTTPReqWaiting: def("http_req_waiting", Trend, Time),
		HTTPReqReceiving: def("http_req_receiving", Trend, Time),
		DataSent:         def("data_sent", Counter, Data), DataReceived: def("data_received", Counter, Data),
	}
}

// Package influxout writes samples to InfluxDB as k6's influxdb output does: version 1 of the HTTP API, or UDP, with one point
// a sample (https://grafana.com/docs/k6, "InfluxDB"; the line protocol by InfluxData's reference).
//
// In:  an address, a database, settings from --out and the environment, samples.
// Out: lines of the line protocol, about once a second.
//
// Invariant: every line is one that the line protocol's own reader understands (FuzzEveryLineCanBeRead).
// Not here: queueing, trying again and counting what was lost; that is package push.
package influxout

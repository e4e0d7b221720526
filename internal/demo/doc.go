// Package demo is a small target to aim at when there is no network, and an example script that aims at it.
//
// In:  an address to listen on.
// Out: a web server in the manner of httpbin (echo, statuses, delays, redirects, cookies, failures on request), and
// Script: a test of about five seconds that shows checks, groups, thresholds and a metric of its own.
//
// Invariant: whatever a client asks for, one request is held for at most MaxDelay and answered with at most MaxBytes
// (TestEveryInputIsBounded).
// Not here: running the script and printing what came of it; that is package cli.
package demo

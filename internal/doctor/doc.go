// Package doctor compares a host with what a planned test needs, and knows the line that mends each shortfall.
//
// In:  a Need (virtual users, rates, targets) and a Host (limits, ports, addresses, cores, memory; Read asks this one).
// Out: a list of findings: what was looked at, what is there, what is wanted, and the exact command that closes the gap.
//
// Invariant: a finding is short exactly if it carries a line to run (TestEveryShortfallHasItsLine).
// Not here: what a script needs (package plan), running any of these commands (the user does).
package doctor

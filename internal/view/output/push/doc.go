// Package push brings what network outputs have encoded to a server, without a run ever waiting for that server.
//
// In:  bodies, each with the number of samples within; a function that sends one.
// Out: requests, some of them again; one sentence in the log when something is wrong, and one at the end that counts what was lost.
//
// Bodies wait in a queue with a bound. A body that finds it full pushes the oldest out, which is counted as lost: a
// dead server costs memory up to that bound and nothing else.
//
// Invariant: Put never waits, and Close ends within its time whatever the server does (TestADeadServerHoldsNothingUp).
// Not here: what a body says (influxout, promout).
package push

// Package pipe is the contract of package run over a byte stream, between a node and its runner process.
//
// In:  one end of a stream: at the runner's, how to make a run.Runner from a job (Serve); at the node's, the job (Dial).
// Out: at the node's end a Client, which is a run.Runner; at the runner's an Up for what goes to the node unasked: log records,
// output lines, what scripts share.
//
// The stream carries frames of bounded size: calls with their answers and cancellations, both ways; snapshots, once a second
// and when they are urgent, of which only the newest waits while the stream is full; log records, of which those that
// find no room are counted; output lines, which wait for the node to take them. A beat from the node says until when the runner
// may go on without hearing more. A runner that hears nothing more stops at that instant, even if its node is only frozen.
//
// Invariant: an error keeps its kind, hint and words on its way (TestErrorsKeepTheirWords); after the end of the lease nothing
// runs (TestASilentNodeEndsTheRunner).
// Not here: starting the process (grid/runner), running the test (load/scheduler).
package pipe

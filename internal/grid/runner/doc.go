// Package runner starts runners in processes of their own and looks after them.
//
// In:  a run.Job, this program.
// Out: a run.Runner at the other end of a pipe; why its process ended.
//
// The child's standard input and output are the pipe, which works on every system; its standard error is kept for messages. The
// pipe's end ends the child, so none outlives its node.
//
// Invariant: no child outlives its node (TestNoRunnerOutlivesItsNode).
// Not here: the words on the pipe (run/pipe), being a runner (load/scheduler), what to run (grid/worker).
package runner

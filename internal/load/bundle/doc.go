// Package bundle is a test packed as an archive: a tar in k6's layout, which k6 reads and writes too.
//
// In:  a script, every file that it read, its options as JSON and its environment; or a tar.
// Out: the tar, always the same bytes for the same test; its SHA-256 as the test's name; or the test.
//
// Invariant: reading what was written gives what was written, byte for byte (TestWrittenTwiceIsTheSame); a hostile tar
// costs no more than its Limits (FuzzRead).
// Not here: what the options mean (plan), where files come from (load/script).
package bundle

// Package script is a file and all that it imports, before and while it becomes a program.
//
// In:  the argument of the command (a path, a URL, "-"), or an archive.
// Out: the main script's source, a loader for what it imports, the files that its open() reads, and all of these
// together as a bundle.
//
// Invariant: after the first init only files that it has seen can be read, so that every virtual user, on any node, sees
// the same bytes (TestAfterSealOnlyKnownFilesOpen).
// Not here: the engine (load/js), the layout of an archive (load/bundle).
package script

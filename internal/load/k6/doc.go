// Package k6 lists what scripts may import: one folder a module, named without the slash ('k6/http' is k6http).
//
// In:  nothing.
// Out: the table of all modules, and for a name that is not in it the one sentence that its importer reads.
//
// Invariant: every module of k6 v2.2 is either in the table or has a sentence of its own (TestEveryModuleOfK6IsAnswered).
// Not here: files and addresses that scripts import (load/script).
package k6

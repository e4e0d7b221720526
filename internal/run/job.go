package run

import "time"

// Job is what a runner process is told before anything else: what to run, and which part of it.
type Job struct {
	Run    string `json:"run"`    // the run's id
	Runner string `json:"runner"` // this life of this runner: Ask.Runner
	Node   string `json:"node"`   // the name of the node that it runs on
	Bundle string `json:"bundle"` // the path of the archive on this host; it must not change while the runner lives
	// Share is the part of the whole test, as segment.Share writes it; "" leaves it to the archive's options.
	Share string `json:"share,omitempty"`
	// Env is laid over the archive's environment.
	Env map[string]string `json:"env,omitempty"`
	// Tags are added to every sample.
	Tags map[string]string `json:"tags,omitempty"`
	// Outputs are the values of --out. Where they write a file their lines are wanted; Lines are told from which by their number here.
	Outputs []string `json:"outputs,omitempty"`
	// OutputEnv are the environment variables that outputs read: K6_CSV_TIME_FORMAT and the like.
	OutputEnv map[string]string `json:"outputEnv,omitempty"`
	// OutputTags are added to the samples that outputs send to a server from here, beside their own.
	OutputTags map[string]string `json:"outputTags,omitempty"`
	// Parts keeps groups and scenarios apart, for the full summary.
	Parts        bool `json:"parts,omitempty"`
	NoThresholds bool `json:"noThresholds,omitempty"`
	// CompatibilityMode is laid over the archive's, unless it is "".
	CompatibilityMode string `json:"compatibilityMode,omitempty"`
	// LocalIPs are the addresses that the runner sends from, as --local-ips writes them; "" leaves it to the archive's options.
	LocalIPs string `json:"localIPs,omitempty"`
	// MemoryLimit is how many bytes the runner may hold; 0: what the host has.
	MemoryLimit uint64 `json:"memoryLimit,omitempty"`
	// InitTimeout bounds the script's top-level code, for each virtual user; 0: a minute.
	InitTimeout time.Duration `json:"initTimeout,omitempty"`
	// Shared says that the node answers what scripts share; else the runner's scripts share what they share among themselves.
	Shared bool `json:"shared,omitempty"`
	// Verbose sends debug messages too.
	Verbose bool `json:"verbose,omitempty"`
}

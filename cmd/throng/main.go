// Command throng runs load tests written in JavaScript, on one machine or many.
package main

import (
	"os"

	"throng/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Lookup: os.LookupEnv, Environ: os.Environ,
	}))
}

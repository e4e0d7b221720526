package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is this release; K6Version is the k6 whose behaviour it keeps.
const (
	Version   = "0.1.0"
	K6Version = "2.2.0"
)

// version is the line that `throng version` prints: name, version, commit if known, toolchain, platform.
func version() string {
	commit := ""
	if c := commitID(); c != "" {
		commit = "commit/" + c + ", "
	}
	return fmt.Sprintf("throng v%s (%s%s, %s/%s)", Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func commitID() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	id, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 10:
			id = s.Value[:10]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if id == "" {
		return ""
	}
	return id + dirty
}

func newVersion(g *global) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				_, err := fmt.Fprintln(g.Stdout, version())
				return err
			}
			v := map[string]string{
				"version": "v" + Version, "k6_compatible": "v" + K6Version, "go_version": runtime.Version(),
				"go_os": runtime.GOOS, "go_arch": runtime.GOARCH,
			}
			if c := commitID(); c != "" {
				v["commit"] = c
			}
			return json.NewEncoder(g.Stdout).Encode(v)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as a JSON object")
	return c
}

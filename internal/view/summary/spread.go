package summary

import (
	"fmt"
	"time"

	"throng/internal/grid/cluster"
)

// Spread tells how far apart a run's nodes began, and their clocks are; it is empty where there were not several.
func Spread(s cluster.Spread) string {
	if s.Nodes < 2 {
		return ""
	}
	tenth := func(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond)) }
	// Where clocks cannot be compared better, starts cannot be either.
	return fmt.Sprintf("    %d nodes began within %s of one another; their clocks are up to %s apart (measured to %s)\n\n",
		s.Nodes, tenth(s.Starts+s.Within), tenth(s.Clocks), tenth(s.Within))
}

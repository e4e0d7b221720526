//go:build !linux && !darwin && !freebsd && !windows

package doctor

// read knows no more of such a system than the Go runtime does: cores and addresses.
func read(*Host) {}

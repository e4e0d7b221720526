//go:build !windows && (!unix || solaris || aix)

package node

// lock is left to the address, which two processes cannot have either.
func lock(string) (unlock func(), err error) { return func() {}, nil }

//go:build race

package httpc

const racing = true // sync.Pool then forgets at random

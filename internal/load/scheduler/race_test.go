//go:build race

package scheduler

const racing = true // sync.Pool then forgets at random

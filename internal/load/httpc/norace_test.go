//go:build !race

package httpc

const racing = false

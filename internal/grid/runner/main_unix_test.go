//go:build unix && !linux

package runner_test

import (
	"os"
	"testing"

	"throng/test/built"
)

func TestMain(m *testing.M) { os.Exit(built.Main(m)) }

package global

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// console is the object of that name. Its functions are made when they are first used. As in k6, it takes no others.
type console struct {
	vu   *scope.VU
	have [consoleNames]sobek.Value
}

const consoleNames = 5

func newConsole(vu *scope.VU) *sobek.Object { return vu.Runtime.NewDynamicObject(&console{vu: vu}) }

// Keys returns the names of the functions.
func (c *console) Keys() []string { return []string{"debug", "error", "info", "log", "warn"} }

// Get returns a function.
func (c *console) Get(name string) sobek.Value {
	i := slices.Index(c.Keys(), name)
	if i < 0 {
		return nil
	}
	if c.have[i] == nil {
		level := [...]slog.Level{slog.LevelDebug, slog.LevelError, slog.LevelInfo, slog.LevelInfo, slog.LevelWarn}[i]
		c.have[i] = c.vu.Runtime.ToValue(c.logger(level))
	}
	return c.have[i]
}

// Has reports whether there is such a function.
func (c *console) Has(name string) bool { return slices.Contains(c.Keys(), name) }

// Set throws.
func (c *console) Set(name string, _ sobek.Value) bool {
	panic(c.vu.Runtime.NewTypeError("Cannot assign to property %s of a host object", name))
}

// Delete throws for what is there.
func (c *console) Delete(name string) bool {
	if c.Has(name) {
		panic(c.vu.Runtime.NewTypeError("Cannot delete property %s from a Go type", name))
	}
	return true
}

// logger returns the function that writes its arguments to the console at level. While nobody listens at that level it
// does not even look at them.
func (c *console) logger(level slog.Level) func(sobek.FunctionCall) sobek.Value {
	ctx := context.Background()
	return func(call sobek.FunctionCall) sobek.Value {
		to := c.vu.Test.Console
		if to == nil || !to.Enabled(ctx, level) {
			return sobek.Undefined()
		}
		var b strings.Builder
		for i, v := range call.Arguments {
			if i > 0 {
				b.WriteByte(' ')
			}
			writeTop(&b, c.vu.Runtime, v)
		}
		if c.vu.Phase == scope.Init {
			c.vu.Test.InitLogs.Store(true)
		}
		to.Log(ctx, level, b.String())
		return sobek.Undefined()
	}
}

package global

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// console is the object of that name. Its functions are made when they are first used; a script may replace them and
// add its own.
type console struct {
	vu   *scope.VU
	have map[string]sobek.Value // nil value: deleted
}

var consoleNames = [...]string{"log", "debug", "info", "warn", "error"}

func newConsole(vu *scope.VU) *sobek.Object {
	return vu.Runtime.NewDynamicObject(&console{vu: vu, have: map[string]sobek.Value{}})
}

func levelOf(name string) (slog.Level, bool) {
	switch name {
	case "log", "info":
		return slog.LevelInfo, true
	case "debug":
		return slog.LevelDebug, true
	case "warn":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	}
	return 0, false
}

// Get returns a function or what the script has put in its place.
func (c *console) Get(name string) sobek.Value {
	if v, ok := c.have[name]; ok {
		return v
	}
	level, ok := levelOf(name)
	if !ok {
		return nil
	}
	v := c.vu.Runtime.ToValue(c.logger(level))
	c.have[name] = v
	return v
}

// Has reports whether name is there.
func (c *console) Has(name string) bool {
	if v, ok := c.have[name]; ok {
		return v != nil
	}
	_, ok := levelOf(name)
	return ok
}

// Set replaces a function or adds a property.
func (c *console) Set(name string, v sobek.Value) bool {
	c.have[name] = v
	return true
}

// Delete removes a property.
func (c *console) Delete(name string) bool {
	c.have[name] = nil
	return true
}

// Keys returns the names: ours first, then the script's own in order.
func (c *console) Keys() []string {
	var keys, own []string
	for _, n := range consoleNames {
		if c.Has(n) {
			keys = append(keys, n)
		}
	}
	for n, v := range c.have {
		if v != nil && !slices.Contains(consoleNames[:], n) {
			own = append(own, n)
		}
	}
	slices.Sort(own)
	return append(keys, own...)
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
		to.Log(ctx, level, b.String())
		return sobek.Undefined()
	}
}

package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/fault"
	"throng/internal/load/k6/scope"
	"throng/internal/load/vu"
)

// Setup calls setup() in a virtual user of its own.
func (s *Scheduler) Setup(ctx context.Context) ([]byte, error) {
	var data []byte
	limit := s.test.Options.SetupTimeout.V
	err := s.lifecycle(ctx, scope.Setup, "setup", "::setup", limit, fault.SetupTimeout, nil, func(v *vu.VU, val sobek.Value) (err error) {
		data, err = v.SetupResult(val)
		return fault.New(fault.Other, err)
	})
	return data, err
}

// Teardown calls teardown() with setup's result.
func (s *Scheduler) Teardown(ctx context.Context, setupData []byte) error {
	limit := s.test.Options.TeardownTimeout.V
	return s.lifecycle(ctx, scope.Teardown, "teardown", "::teardown", limit, fault.TeardownTimeout, setupData, nil)
}

// Summary calls handleSummary with data.
func (s *Scheduler) Summary(ctx context.Context, data []byte) (out map[string][]byte, err error) {
	limit := s.test.Options.HandleSummaryTimeout.V
	err = s.lifecycle(ctx, scope.Summary, "handleSummary", "", limit, fault.GenericTimeout, data, func(v *vu.VU, val sobek.Value) (err error) {
		out, err = v.Files(val)
		return err
	})
	return out, err
}

// RepeatInit runs the script's top-level code once more, if that code logs: k6 makes a virtual user for handleSummary even
// where there is none, and shows what its top-level code says.
func (s *Scheduler) RepeatInit(ctx context.Context) {
	if !s.test.InitLogs.Load() {
		return
	}
	_, ctx, stop := s.begin(ctx)
	defer stop()
	if v, err := s.factory.New(ctx, 0, 0); err == nil { // it went well before; now nobody depends on it
		v.Close()
	}
}

// lifecycle calls one of the script's functions in a virtual user of its own, within limit.
func (s *Scheduler) lifecycle(ctx context.Context, phase scope.Phase, name, group string, limit time.Duration, timeout fault.Kind, data []byte, then func(*vu.VU, sobek.Value) error) error {
	s.phases.RLock()
	defer s.phases.RUnlock()
	guard, ctx, stop := s.begin(ctx)
	defer stop()
	v, err := s.factory.New(ctx, 0, 0)
	if err != nil {
		guard.saw(err)
		return guard.outcome(ctx, exception(err))
	}
	late := fault.New(timeout, fmt.Errorf("%s() execution timed out after %g seconds", name, limit.Seconds()))
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	arg := sobek.Undefined()
	if len(data) > 0 {
		if arg, err = v.ParseJSON(data); err != nil {
			v.Close()
			return fmt.Errorf("read the data for %s(): %w", name, err)
		}
	}
	err = s.unlessStuck(ctx, func() error {
		defer v.Close()
		val, err := v.Lifecycle(ctx, phase, name, group, arg)
		switch {
		case err != nil:
			guard.saw(err)
			return exception(err)
		case then != nil && ctx.Err() == nil:
			return then(v, val)
		}
		return nil
	})
	stuck := errors.Is(err, errStuck)
	if err = guard.outcome(ctx, err); stuck {
		return fault.New(fault.KindOf(err), fmt.Errorf("%w; %w", err, errStuck))
	}
	if err == late { //nolint:errorlint // this very one
		return guard.located(late)
	}
	return err
}

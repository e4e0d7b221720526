package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"

	"throng/internal/fault"
	"throng/internal/grid/conductor"
	"throng/internal/load/scheduler"
	"throng/internal/view/api"
)

// control is what the REST API may see and change of a local run.
type control struct {
	conductor *conductor.Conductor
	runner    *scheduler.Scheduler
	stopped   atomic.Bool
}

// Status implements api.Run.
func (c *control) Status() api.Status {
	phase, load := c.conductor.Phase(), c.runner.Load()
	return api.Status{
		Phase: int(phase), Paused: c.conductor.Paused() || c.runner.Paused(), VUs: load.VUs, VUsMax: load.VUsMax,
		Stopped: c.stopped.Load(), Running: phase >= conductor.Started && phase != conductor.Ended, Tainted: c.conductor.Tainted(),
	}
}

// Stop implements api.Run.
func (c *control) Stop() {
	c.stopped.Store(true)
	c.conductor.Stop(fault.New(fault.StoppedByAPI, errors.New("test run stopped from REST API")))
}

// Pause implements api.Run.
func (c *control) Pause(paused bool) error {
	err := c.conductor.Pause(paused)
	if errors.Is(err, conductor.ErrStarted) {
		return c.runner.Pause(paused)
	}
	return err
}

// Scale implements api.Run.
func (c *control) Scale(vus, vusMax *int64) error {
	err := c.runner.Scale(vus, vusMax)
	if errors.Is(err, scheduler.ErrFixed) {
		return api.ErrFixed
	}
	return err
}

func (c *control) measured() api.Measured {
	snap, elapsed, verdicts := c.conductor.Measured()
	return api.Measured{Snapshot: snap, Elapsed: elapsed, Thresholds: c.conductor.Thresholds(), Verdicts: verdicts}
}

// serveAPI listens for the REST API, if it was asked for, and serves it until stop, which waits until it is quiet.
func (s *session) serveAPI(c *conductor.Conductor) (stop func(), err error) {
	address := s.setting(s.address, "ADDRESS", "")
	if address == "" {
		return func() {}, nil
	}
	profiling := s.profiling
	if text := s.setting("", "PROFILING_ENABLED", ""); text != "" && !profiling {
		if profiling, err = strconv.ParseBool(text); err != nil {
			return nil, fault.New(fault.InvalidConfig, fmt.Errorf("K6_PROFILING_ENABLED: %w", err))
		}
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.WithHint(fault.CannotStartRESTAPI, fmt.Errorf("serve the REST API: %w", err), "another --address, or none: then there is no REST API")
	}
	ctrl := &control{conductor: c, runner: s.runner}
	handler := api.New(api.Config{Run: ctrl, Setup: c, Measured: ctrl.measured, Profiling: profiling})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.log.Debug("the REST API is at " + ln.Addr().String())
		if err := api.Serve(ctx, ln, handler, s.log); err != nil {
			s.log.Error("the REST API: " + err.Error())
		}
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

// askedToPause is what is known about --paused before the script was read.
func (s *session) askedToPause() bool {
	t := s.test
	return t.flags.Options.Paused.Or(t.envVars.Options.Paused.Or(t.file.Options.Paused.Or(false)))
}

// linger stays, with the outputs and the REST API, until a signal ends ctx.
func (s *session) linger(ctx context.Context, out conductor.Outcome) {
	if !out.Measured || !s.test.config.Linger.Or(false) {
		return
	}
	s.log.Debug("the test is over; --linger waits for a signal")
	<-ctx.Done()
}

package pipe

import (
	"context"
	"errors"
	"fmt"

	"throng/internal/run"
)

// carryOut carries out a call of the node's. The state of the runner goes before the answer, so that who knows that a run has
// ended knows what it came to.
func (s *server) carryOut(ctx context.Context, m message) (before []byte, out message, err error) {
	select {
	case <-s.started:
	case <-ctx.Done():
		return nil, message{}, context.Cause(ctx)
	}
	if s.err != nil {
		return nil, message{head: head{Call: m.Call}}, s.err
	}
	out, err = s.called(ctx, m)
	out.Call = m.Call
	return stateFrame(s.runner, false), out, err
}

func (s *server) called(ctx context.Context, m message) (message, error) {
	switch m.Call {
	case callInit:
		ready, err := s.runner.Init(ctx)
		return message{head: head{Ready: &ready}}, err
	case callSetup:
		data, err := s.runner.Setup(ctx)
		return given(head{}, data), err
	case callRun:
		if m.Begin == nil {
			return message{}, fmt.Errorf("a run without its beginning")
		}
		return message{}, s.runner.Run(ctx, m.Begin.begin(m.content()))
	case callYield:
		snap, err := s.runner.Yield(ctx)
		b, _ := snap.MarshalBinary() // it never fails
		return given(head{}, b), err
	case callTeardown:
		return message{}, s.runner.Teardown(ctx, m.content())
	case callSummary:
		files, err := s.runner.Summary(ctx, m.content())
		list, body := filesOf(files)
		return message{head{Files: list}, body}, err
	case callFlush:
		if f, ok := s.runner.(Flusher); ok {
			return message{}, f.Flush(ctx)
		}
		return message{}, nil
	case callDrain:
		if d, ok := s.runner.(Drainer); ok {
			d.Drain(ctx)
		}
		return message{}, nil
	}
	return message{}, fmt.Errorf("a call that is not known here: %.20q", m.Call)
}

// Do carries a script's wish to the node: it implements run.Shared.
func (u *Up) Do(ctx context.Context, ask run.Ask) (run.Answer, error) {
	m, err := u.s.call(ctx, message{head: head{Call: callAsk, Ask: &ask}})
	switch {
	case errors.Is(err, errEnded):
		return run.Answer{}, reason(context.Cause(u.s.ctx))
	case err != nil:
		return run.Answer{}, err
	case m.Answer == nil:
		return run.Answer{}, fmt.Errorf("the node gave no answer")
	}
	return *m.Answer, nil
}

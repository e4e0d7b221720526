package stream_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/metric"
	"throng/internal/view/output/stream"
)

func dot(b []byte, _ *metric.Sample) []byte { return append(b, '.') }

func TestRunFlushesAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := stream.New("-", 200*time.Millisecond, stream.Env{Stdout: &out}, dot)
		if err := s.Open([]byte("head ")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		s.Add(make([]metric.Sample, 3))
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if got := out.String(); got != "head ..." {
			t.Errorf("after the interval: %q", got)
		}
		s.Add(make([]metric.Sample, 2))
		cancel()
		if err := errors.Join(<-done, s.Stop()); err != nil || out.String() != "head ....." {
			t.Errorf("at the end: %q, %v", out.String(), err)
		}
	})
}

func TestAddIsBounded(t *testing.T) {
	var out bytes.Buffer
	s := stream.New("", time.Hour, stream.Env{Stdout: &out}, dot)
	if err := s.Open(nil); err != nil {
		t.Fatal(err)
	}
	for range 1 << 8 {
		s.Add(make([]metric.Sample, 1<<10))
	}
	if out.Len() < 1<<17 {
		t.Errorf("%d of %d samples written before any flush", out.Len(), 1<<18)
	}
	if err := s.Stop(); err != nil || out.Len() != 1<<18 {
		t.Errorf("%d written, %v", out.Len(), err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestTheFirstErrorIsTold(t *testing.T) {
	s := stream.New("-", time.Hour, stream.Env{Stdout: broken{}}, dot)
	if err := s.Open(nil); err != nil {
		t.Fatal(err)
	}
	s.Add(make([]metric.Sample, 1<<18))
	if err := s.Stop(); err == nil || err.Error() != "disk full" {
		t.Errorf("Stop: %v", err)
	}
	if err := stream.New(filepath.Join(t.TempDir(), "no", "file"), time.Hour, stream.Env{}, dot).Open(nil); err == nil {
		t.Error("a path in a folder that is not there was opened")
	}
}

package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestWrappingNeverChangesTheKind(t *testing.T) {
	for k := Other; k <= MarkedAsFailed; k++ {
		err := New(k, io.EOF)
		for depth := range 5 {
			if got := KindOf(err); got != k {
				t.Errorf("kind %d became %d when wrapped %d times", k, got, depth)
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("the cause is lost when wrapped %d times", depth)
			}
			err = fmt.Errorf("step %d: %w", depth, err)
		}
		if got := KindOf(errors.Join(io.ErrNoProgress, err)); got != k {
			t.Errorf("kind %d became %d when joined", k, got)
		}
	}
}

func TestTheOutermostKindCounts(t *testing.T) {
	inner := WithHint(ScriptException, io.EOF, "look into the script")
	err := New(SetupTimeout, fmt.Errorf("setup: %w", inner))
	if KindOf(err) != SetupTimeout {
		t.Errorf("the kind is %d", KindOf(err))
	}
	if HintOf(err) != "look into the script" {
		t.Errorf("the hint is %q: the inner one is the first", HintOf(err))
	}
	if got := HintOf(WithHint(Other, err, "wait longer")); got != "wait longer" {
		t.Errorf("the hint is %q, want the outer one", got)
	}
	if err.Error() != "setup: EOF" {
		t.Errorf("it reads %q: kind and hint are shown apart", err)
	}
}

func TestNoErrorStaysNone(t *testing.T) {
	if New(Panic, nil) != nil || WithHint(Panic, nil, "none") != nil {
		t.Error("nil became an error")
	}
	for _, err := range []error{nil, io.EOF} {
		if KindOf(err) != Other || HintOf(err) != "" {
			t.Errorf("%v has kind %d, hint %q", err, KindOf(err), HintOf(err))
		}
	}
}

func TestExitCodesAreThoseOfK6(t *testing.T) {
	want := []int{255, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110}
	for k := Other; k <= MarkedAsFailed; k++ {
		if got := k.ExitCode(); got != want[k] {
			t.Errorf("kind %d: exit code %d, want %d", k, got, want[k])
		}
	}
	for _, unknown := range []Kind{-1, MarkedAsFailed + 1} {
		if got := unknown.ExitCode(); got != 255 {
			t.Errorf("unknown kind %d: exit code %d, want 255", unknown, got)
		}
	}
}

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Shared is what the scripts of a run share, wherever their virtual users live: module throng/grid asks it.
//
// A caller, which is one virtual user's runtime, has one Ask under way at a time and numbers them upwards. So whoever answers need
// only remember each caller's last Call and its Answer to know a repeated Ask, whose answer was lost, from a new one. Waiting is
// asking again, under the same Call: an Answer with Later set says that there is nothing yet.
type Shared interface {
	// Do answers one Ask. Where there is nothing yet it waits, and answers Later when ctx ends, or after some seconds. An error says
	// that nobody knows whether the Ask was carried out: asking again, under the same Call, is safe.
	Do(ctx context.Context, ask Ask) (Answer, error)
}

// The limits of what scripts share.
const (
	MaxKey    = 200       // characters of a name
	MaxValue  = 64 << 10  // bytes of one JSON value
	MaxValues = 1000      // values of one Ask
	MaxAsk    = 192 << 10 // bytes of all values of one Ask
)

// Op is what an Ask wants.
type Op string

// The operations. Each kind has names of its own: a counter and a queue may both be called "a".
const (
	// Claim asks for the right to make the value of Key. The Answer is Mine (make it, then Settle or Release), or has the Value,
	// or is Later while another caller makes it.
	Claim Op = "claim"
	// Settle gives the value of Key, Values[0], which the caller has claimed; whoever waits gets it. Release gives the claim up.
	Settle  Op = "settle"
	Release Op = "release"
	// Arrive counts the caller among those that wait at barrier Key, which opens when N are there, and then is as new. Later
	// until it opens. Leave takes the arrival back, if the barrier has not opened.
	Arrive Op = "arrive"
	Leave  Op = "leave"
	// Add adds N to counter Key and answers with what it shows then, in N.
	Add Op = "add"
	// Push puts Values at the end of queue Key, all or none; Pop takes one from its front. Both answer with how many are left, in N;
	// a Pop that found nothing has no Value.
	Push Op = "push"
	Pop  Op = "pop"
)

// Ask is one request.
type Ask struct {
	Op     Op                `json:"op"`
	Key    string            `json:"key"`
	Runner string            `json:"runner,omitempty"` // which life of which runner asks; within one process it is empty
	Caller uint64            `json:"caller"`           // which runtime of that runner
	Call   uint64            `json:"call"`             // the caller's number of the Ask, from 1
	N      int64             `json:"n,omitempty"`
	Values []json.RawMessage `json:"values,omitempty"`
}

// Answer is what came of an Ask.
type Answer struct {
	Later   bool            `json:"later,omitempty"`
	Mine    bool            `json:"mine,omitempty"`
	N       int64           `json:"n,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
	Refused string          `json:"refused,omitempty"` // why nothing was done: a mistake of the script, or there is no room
}

// ErrAsk is the class of what Check refuses.
var ErrAsk = errors.New("invalid request")

// Check refuses, with an ErrAsk, what is beyond the limits.
func (a Ask) Check() error {
	switch n := utf8.RuneCountInString(a.Key); {
	case n == 0 || n > MaxKey || !utf8.ValidString(a.Key):
		return fmt.Errorf("%w: a name of %d characters: from 1 to %d", ErrAsk, n, MaxKey)
	case !slices.Contains([]Op{Claim, Settle, Release, Arrive, Leave, Add, Push, Pop}, a.Op):
		return fmt.Errorf("%w: %.20q", ErrAsk, a.Op)
	case a.Op == Settle && len(a.Values) != 1:
		return fmt.Errorf("%w: %s takes one value", ErrAsk, a.Op)
	case a.Op == Arrive && a.N < 1:
		return fmt.Errorf("%w: a barrier opens for 1 or more, not for %d", ErrAsk, a.N)
	}
	return a.checkValues()
}

func (a Ask) checkValues() error {
	total := 0
	for _, v := range a.Values {
		switch {
		case len(v) > MaxValue:
			return fmt.Errorf("%w: a value of %d bytes: at most %d", ErrAsk, len(v), MaxValue)
		case !json.Valid(v):
			return fmt.Errorf("%w: a value that is not JSON", ErrAsk)
		}
		total += len(v)
	}
	if len(a.Values) > MaxValues || total > MaxAsk {
		return fmt.Errorf("%w: %d values of %d bytes at once: at most %d of %d", ErrAsk, len(a.Values), total, MaxValues, MaxAsk)
	}
	return nil
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Prefix begins every key.
const Prefix = "/throng/"

// MaxValue is the largest value that a Store takes, in bytes. What may be larger travels as a blob (package courier).
const MaxValue = 256 << 10

// KV is one key with its value and the revision of the store at which it was last written.
type KV struct {
	Key      string
	Value    []byte
	Revision int64
}

// Event is one change that Watch tells of. Deleted events carry no value.
type Event struct {
	KV
	Deleted bool
}

// Condition holds when the key was last written at that revision; revision 0: when the key is not there.
type Condition struct {
	Key      string
	Revision int64
}

// Txn is written whole or not at all, and Watch tells of it whole: all its events come in one slice.
type Txn struct {
	If     []Condition
	Put    map[string][]byte
	Delete []string
}

// MaxTxn is how many conditions, and how many writes, a Txn may hold.
const MaxTxn = 512

// Check says what is wrong with a Txn that no Store takes.
func (t Txn) Check() error {
	if len(t.If) > MaxTxn || len(t.Put)+len(t.Delete) > MaxTxn {
		return fmt.Errorf("a transaction of %d conditions and %d writes: at most %d each", len(t.If), len(t.Put)+len(t.Delete), MaxTxn)
	}
	gone := make(map[string]bool, len(t.Delete))
	for _, key := range t.Delete {
		if gone[key] {
			return fmt.Errorf("key %.200q is deleted twice in one transaction", key)
		}
		gone[key] = true
		if err := checkKey(key); err != nil {
			return err
		}
	}
	for key, value := range t.Put {
		if err := checkKey(key); err != nil {
			return err
		}
		switch {
		case gone[key]:
			return fmt.Errorf("key %.200q is put and deleted in one transaction", key)
		case len(value) > MaxValue:
			return fmt.Errorf("the value of key %.200q has %d bytes: at most %d", key, len(value), MaxValue)
		}
	}
	return nil
}

func checkKey(key string) error {
	if !strings.HasPrefix(key, Prefix) || key == Prefix || len(key) > maxKey {
		return fmt.Errorf("key %.200q does not begin with %s or is longer than %d bytes", key, Prefix, maxKey)
	}
	return nil
}

const maxKey = 1 << 10

// The errors on which decisions hang. Any other means that the store could not be reached in time, and that nobody knows
// whether a write took place.
var (
	ErrNotFound = errors.New("there is no such key")
	// ErrConflict reports that a condition did not hold; nothing was written.
	ErrConflict = errors.New("somebody else has written meanwhile")
	// ErrDeposed reports that a newer leader rules; the old one must stop giving orders.
	ErrDeposed = errors.New("deposed by a newer term")
)

// Store is what nodes agree through. Reads are linearizable. Everything may be called from any goroutine.
type Store interface {
	Get(ctx context.Context, key string) (KV, error)
	// List returns all keys with that prefix in order, and the revision at which this was so.
	List(ctx context.Context, prefix string) ([]KV, int64, error)
	// Commit returns the revision of what it wrote; of a Txn that changes nothing, one that is not older than its conditions.
	Commit(ctx context.Context, t Txn) (int64, error)
	// Watch tells of every change after revision, in order, until ctx ends or the store cannot go on from there (it was
	// compacted, or the connection is gone): then the channel is closed, and whoever watches lists anew.
	Watch(ctx context.Context, prefix string, revision int64) <-chan []Event
}

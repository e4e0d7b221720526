package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// recordVersion is the version of all records. It grows when an older throng would misread a newer one.
const recordVersion = 1

// Encode returns a record as versioned JSON: an object whose first field is "v".
func Encode(record any) ([]byte, error) {
	b, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	if len(b) < 2 || b[0] != '{' {
		return nil, fmt.Errorf("a record is an object, not %.40s", b)
	}
	head := `{"v":` + strconv.Itoa(recordVersion)
	if len(b) > 2 {
		head += ","
	}
	return append([]byte(head), b[1:]...), nil
}

// Decode reads what Encode wrote. It refuses records of a version that it does not know.
func Decode(kv KV, record any) error {
	var version struct{ V int }
	if err := json.Unmarshal(kv.Value, &version); err != nil {
		return fmt.Errorf("read %s: %w", kv.Key, err)
	}
	if version.V != recordVersion {
		return fmt.Errorf("%s has version %d, and this throng knows version %d", kv.Key, version.V, recordVersion)
	}
	if err := json.Unmarshal(kv.Value, record); err != nil {
		return fmt.Errorf("read %s: %w", kv.Key, err)
	}
	return nil
}

// Fetch reads one record and the revision at which it was last written; the zero record and revision 0 when it is not there.
func Fetch[T any](ctx context.Context, s Store, key string) (T, int64, error) {
	var record T
	kv, err := s.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return record, 0, nil
	}
	if err == nil {
		err = Decode(kv, &record)
	}
	return record, kv.Revision, err
}

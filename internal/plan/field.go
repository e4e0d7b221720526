package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field ties one option to its spellings, so that reading, writing and merging go by one table.
type field struct {
	key  string // in JSON
	env  string // after K6_ or THRONG_; "" where the environment cannot set it
	show show
	ref  any // points at the value: an Opt, a map, a slice, a pointer or a DNS

	in   func(path string, raw []byte) []error // from JSON that is not null
	text func(s string) error                  // from the environment; asked only where env is set
	out  func() any                            // for JSON; asked only when the value is set
}

// show says where an option is seen.
type show int

const (
	always  show = iota
	shape        // not in exec.test.options: scenarios say it there
	hidden       // not in files and inspect: flags and environment only
	whenSet      // no null when it is unset
)

func (f field) shown(s show) field { f.show = s; return f }

func (f field) isSet() bool {
	switch v := f.ref.(type) {
	case interface{ IsSet() bool }:
		return v.IsSet()
	case *DNS:
		return v.TTL.Set || v.Select.Set || v.Policy.Set
	}
	return !reflect.ValueOf(f.ref).Elem().IsNil()
}

// take copies what the same field of another table has set.
func (f field) take(from field) {
	if d, ok := f.ref.(*DNS); ok { // the parts are options of their own
		d.take(*from.ref.(*DNS))
		return
	}
	if from.isSet() {
		reflect.ValueOf(f.ref).Elem().Set(reflect.ValueOf(from.ref).Elem())
	}
}

// scalar makes the field of an Opt. An empty or null text leaves the option alone, as it does in k6.
func scalar[T any](key, env string, o *Opt[T], in func([]byte) (T, error), text func(string) (T, error), out func(T) any) field {
	f := field{key: key, env: env, ref: o}
	f.in = func(path string, raw []byte) []error {
		v, err := in(raw)
		if err != nil {
			return []error{fmt.Errorf("%s: %w", path, err)}
		}
		*o = Some(v)
		return nil
	}
	f.out = func() any { return out(o.V) }
	if env != "" {
		f.text = func(s string) error {
			if s == "" {
				return nil
			}
			v, err := text(s)
			if err == nil {
				*o = Some(v)
			}
			return err
		}
	}
	return f
}

func itself[T any](v T) any { return v }

func boolean(key, env string, o *Opt[bool]) field {
	f := scalar(key, env, o, func(raw []byte) (bool, error) {
		if s := string(raw); s == "true" || s == "false" {
			return s == "true", nil
		}
		return false, mismatch(raw, "true or false")
	}, func(s string) (bool, error) {
		if s == "true" || s == "false" {
			return s == "true", nil
		}
		return false, fmt.Errorf("invalid input:%s, only true and false are known", s)
	}, itself)
	if text := f.text; text != nil {
		f.text = func(s string) error {
			if s == "null" {
				return nil
			}
			return text(s)
		}
	}
	return f
}

func integer(key, env string, o *Opt[int64]) field {
	return scalar(key, env, o, decodeInt, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }, itself)
}

func duration(key, env string, o *Opt[time.Duration]) field {
	return scalar(key, env, o, decodeDuration, ParseDuration, func(d time.Duration) any { return FormatDuration(d) })
}

func str(key, env string, o *Opt[string]) field {
	return checked(key, env, o, func(s string) (string, error) { return s, nil })
}

// checked is a string that check refuses or rewrites.
func checked(key, env string, o *Opt[string], check func(string) (string, error)) field {
	return scalar(key, env, o, func(raw []byte) (string, error) {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "", mismatch(raw, "a string")
		}
		return check(s)
	}, check, itself)
}

// list makes the field of a list of strings; check refuses or rewrites the whole.
func list(key, env string, l *[]string, check func([]string) ([]string, error)) field {
	f := field{key: key, env: env, ref: l}
	set := func(v []string) error {
		v, err := check(v)
		if err == nil {
			*l = append([]string{}, v...)
		}
		return err
	}
	f.in = func(path string, raw []byte) []error {
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return []error{fmt.Errorf("%s: %w", path, mismatch(raw, "a list of strings"))}
		}
		v := make([]string, len(items))
		for i, item := range items {
			if json.Unmarshal(item, &v[i]) != nil {
				return []error{fmt.Errorf("%s[%d]: %w", path, i, mismatch(item, "a string"))}
			}
		}
		return wrap(path, set(v))
	}
	f.text = func(s string) error { return set(commas(s)) }
	f.out = func() any { return *l }
	return f
}

func anyList(l []string) ([]string, error) { return l, nil }

func commas(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// words makes the field of a map of strings; a null value is an empty one.
func words(key string, m *map[string]string) field {
	f := field{key: key, ref: m}
	f.in = func(path string, raw []byte) (errs []error) {
		items, err := object(raw)
		if err != nil {
			return []error{fmt.Errorf("%s: %w", path, err)}
		}
		v := make(map[string]string, len(items))
		for _, it := range items {
			var s string
			if json.Unmarshal(it.raw, &s) != nil {
				errs = append(errs, fmt.Errorf("%s.%s: %w", path, it.key, mismatch(it.raw, "a string")))
			}
			v[it.key] = s
		}
		*m = v
		return errs
	}
	f.out = func() any { return *m }
	return f
}

// passed makes the field of JSON that is passed through.
func passed(key string, m *json.RawMessage, wantObject bool) field {
	f := field{key: key, ref: m}
	f.in = func(path string, raw []byte) []error {
		if wantObject && kindOf(raw) != "object" {
			return []error{fmt.Errorf("%s: %w", path, mismatch(raw, "an object"))}
		}
		*m = bytes.Clone(raw)
		return nil
	}
	f.out = func() any { return *m }
	return f
}

func wrap(path string, err error) []error {
	if err == nil {
		return nil
	}
	return []error{fmt.Errorf("%s: %w", path, err)}
}

func decodeInt(raw []byte) (int64, error) {
	switch kindOf(raw) {
	case "string":
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return 0, err
		}
		return strconv.ParseInt(s, 10, 64)
	case "number":
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return n, nil
		}
		f, err := strconv.ParseFloat(string(raw), 64)
		if n := int64(f); err == nil && f > -1<<53 && f < 1<<53 && float64(n) == f { // 3.0 and 1e3
			return n, nil
		}
		return 0, fmt.Errorf("cannot unmarshal number %s into an integer", raw)
	}
	return 0, mismatch(raw, "an integer")
}

func decodeDuration(raw []byte) (time.Duration, error) {
	switch kindOf(raw) {
	case "string":
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return 0, err
		}
		return ParseDuration(s)
	case "number":
		return ParseDuration(string(raw))
	}
	return 0, fmt.Errorf("'%s' is not a valid duration value, give milliseconds or a text such as '1m30s'", raw)
}

// mismatch says what was found and what belongs there.
func mismatch(raw []byte, want string) error {
	return fmt.Errorf("cannot unmarshal %s into %s", kindOf(raw), want)
}

func kindOf(raw []byte) string {
	switch raw := bytes.TrimSpace(raw); {
	case len(raw) == 0:
		return "nothing"
	case raw[0] == '{':
		return "object"
	case raw[0] == '[':
		return "array"
	case raw[0] == '"':
		return "string"
	case raw[0] == 't', raw[0] == 'f':
		return "bool"
	case raw[0] == 'n':
		return "null"
	}
	return "number"
}

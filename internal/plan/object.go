package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

type item struct {
	key string
	raw json.RawMessage
}

// object reads a JSON object, its keys in the order of the source.
func object(raw []byte) ([]item, error) {
	if kindOf(raw) == "null" {
		return nil, nil
	}
	if kindOf(raw) != "object" {
		return nil, mismatch(raw, "an object")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, inJSON(err)
	}
	var items []item
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, inJSON(err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, inJSON(err)
		}
		items = append(items, item{key.(string), v})
	}
	if _, err := dec.Token(); err != nil {
		return nil, inJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the end of the JSON object")
	}
	return items, nil
}

func inJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("unexpected end of JSON input")
	}
	return err
}

// readObject fills the fields from a JSON object and returns the keys that no field has. Keys match in any case, as they
// do in k6; null leaves a field unset.
func readObject(path string, raw []byte, fields []field) (unknown []string, errs []error) {
	items, err := object(raw)
	if err != nil {
		if path == "" {
			return nil, []error{err}
		}
		return nil, wrap(path, err)
	}
	for _, it := range items {
		f, ok := find(fields, it.key)
		if !ok {
			unknown = append(unknown, it.key)
			continue
		}
		if kindOf(it.raw) == "null" {
			continue
		}
		at := f.key
		if path != "" {
			at = path + "." + f.key
		}
		errs = append(errs, f.in(at, it.raw)...)
	}
	return unknown, errs
}

func find(fields []field, key string) (field, bool) {
	for _, f := range fields {
		if f.key == key {
			return f, true
		}
	}
	for _, f := range fields {
		if strings.EqualFold(f.key, key) {
			return f, true
		}
	}
	return field{}, false
}

// refuse makes errors of unknown keys, for objects where k6 does not overlook them.
func refuse(path string, unknown []string, known string) (errs []error) {
	for _, key := range unknown {
		errs = append(errs, fmt.Errorf("%s: json: unknown field %q, known are %s", path, key, known))
	}
	return errs
}

// written is a JSON object with its keys in the order of the table.
type written []byte

func (w written) MarshalJSON() ([]byte, error) { return w, nil }

// writeObject writes the fields that want keeps; an unset one is null.
func writeObject(fields []field, want func(field) bool) written {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	first := true
	for _, f := range fields {
		if !want(f) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		fmt.Fprintf(&b, "%q:", f.key)
		var v any
		if f.isSet() || isDNS(f) {
			v = f.out()
		}
		mark := b.Len()
		if err := enc.Encode(v); err != nil { // only passed-through JSON that somebody built by hand can do this
			b.Truncate(mark)
			b.WriteString("null")
			continue
		}
		b.Truncate(b.Len() - 1) // Encode ends with a newline
	}
	b.WriteByte('}')
	return b.Bytes()
}

// isDNS: the object is written with three nulls even when no part is set.
func isDNS(f field) bool { _, ok := f.ref.(*DNS); return ok }

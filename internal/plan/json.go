package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"throng/internal/fault"
)

// ParseJSON reads the options object that a script exports, as JSON. What it cannot use but k6 only warns of comes back
// as warnings, in words; mistakes come back all at once, as a fault.InvalidConfig that begins with source.
func ParseJSON(data []byte, source string) (Options, []string, error) {
	var o Options
	if kindOf(data) == "null" || len(data) == 0 {
		return o, nil, nil
	}
	unknown, errs := readObject("", data, visible(o.fields()))
	var warnings []string
	if len(unknown) > 0 {
		warnings = append(warnings, unknownKeys(unknown, visible(o.fields())))
	}
	if o.Features != nil {
		o.Features = nil
		warnings = append(warnings, "The features option of a script is ignored: use --features, K6_FEATURES or the config file")
	}
	return o, warnings, invalid(source, errs)
}

// ParseArchive reads the options of an archive's metadata; keys that it does not know are passed over.
func ParseArchive(data []byte, source string) (Options, error) {
	var o Options
	if kindOf(data) == "null" || len(data) == 0 {
		return o, nil
	}
	_, errs := readObject("", data, visible(o.fields()))
	return o, invalid(source, errs)
}

// ParseConfig reads a config file: options and the other keys of Config. Keys that it does not know are passed over.
func ParseConfig(data []byte, source string) (Config, error) {
	var c Config
	_, errs := readObject("", data, visible(c.fields()))
	return c, invalid("couldn't parse the configuration from "+strconv.Quote(source), errs)
}

// visible leaves out what files cannot set.
func visible(fields []field) []field {
	return slices.DeleteFunc(fields, func(f field) bool { return f.show == hidden })
}

func unknownKeys(unknown []string, known []field) string {
	slices.Sort(unknown)
	var b strings.Builder
	b.WriteString("There were unknown fields in the options exported in the script:")
	for i, key := range unknown {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %q", key)
		if near := nearest(key, known); near != "" {
			fmt.Fprintf(&b, " (did you mean %q?)", near)
		}
	}
	return b.String()
}

// nearest is the known key that is at most two edits away, or "".
func nearest(key string, known []field) string {
	best, at := "", 3
	for _, f := range known {
		if d := edits(strings.ToLower(key), strings.ToLower(f.key)); d < at && d < len(f.key)/2 {
			best, at = f.key, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// invalid joins mistakes into one fault.InvalidConfig that says where they are.
func invalid(where string, errs []error) error {
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	if len(errs) > 1 {
		where += ":\n\t- "
		err = errors.New(strings.ReplaceAll(err.Error(), "\n", "\n\t- "))
	} else {
		where += ": "
	}
	return fault.New(fault.InvalidConfig, fmt.Errorf("%s%w", where, err))
}

func seenInFiles(f field) bool {
	return f.show != hidden && (f.show != whenSet || f.isSet())
}

// MarshalJSON writes the options as k6's inspect and its archives do: every key, null where an option is unset, but for
// cloud, which is left out, and for what only flags and the environment can set.
func (o Options) MarshalJSON() ([]byte, error) {
	return writeObject(o.shown(), seenInFiles), nil
}

// ScriptJSON writes the options as exec.test.options shows them: without the shortcuts that scenarios stand for, with
// what only flags and the environment can set.
func (o Options) ScriptJSON() []byte {
	return writeObject(o.shown(), func(f field) bool { return f.show != shape && (f.show != whenSet || f.isSet()) })
}

// Beyond writes the options that are set and not the same in script: what its exported object lacks. k6 adds scenarios even
// where there are none.
func (o Options) Beyond(script Options) []byte {
	same := map[string]bool{}
	theirs := script.fields()
	for i, f := range o.fields() {
		same[f.key] = reflect.DeepEqual(f.ref, theirs[i].ref)
	}
	if o.Scenarios == nil {
		o.Scenarios, same["scenarios"] = map[string]ScenarioConfig{}, false
	}
	return writeObject(o.fields(), func(f field) bool { return f.show != hidden && f.isSet() && !same[f.key] })
}

// shown is the table for writing. k6 writes null where a script chose no system tag or no cipher suite.
func (o *Options) shown() []field {
	v := *o
	if len(v.SystemTags) == 0 {
		v.SystemTags = nil
	}
	if len(v.TLSCipherSuites) == 0 {
		v.TLSCipherSuites = nil
	}
	return v.fields()
}

// UnmarshalJSON reads what MarshalJSON has written; see ParseJSON for scripts.
func (o *Options) UnmarshalJSON(data []byte) (err error) {
	*o, err = ParseArchive(data, "options")
	return err
}

// Encode writes every option that is set, so that Decode gives an equal value, on another node too.
func (o Options) Encode() json.RawMessage {
	return json.RawMessage(writeObject(o.fields(), field.isSet))
}

// Decode reads what Encode has written.
func Decode(data []byte) (Options, error) {
	var o Options
	_, errs := readObject("", data, o.fields())
	return o, invalid("options", errs)
}

// MarshalJSON writes a config file: what is set, and nothing else.
func (c Config) MarshalJSON() ([]byte, error) {
	return writeObject(c.fields(), func(f field) bool { return f.show != hidden && f.isSet() }), nil
}

// UnmarshalJSON reads a config file; see ParseConfig.
func (c *Config) UnmarshalJSON(data []byte) (err error) {
	*c, err = ParseConfig(data, "config")
	return err
}

package plan

import (
	"fmt"

	"throng/internal/fault"
)

// FromEnv reads the options that the environment sets: K6_VUS and so on, or THRONG_VUS, which wins. All mistakes come back
// at once, as a fault.InvalidConfig.
func FromEnv(lookup func(string) (string, bool)) (Config, error) {
	var c Config
	var errs []error
	for _, f := range c.fields() {
		if f.env == "" {
			continue
		}
		name, value, ok := lookupEnv(lookup, f.env)
		if !ok {
			continue
		}
		if err := f.text(value); err != nil {
			errs = append(errs, fmt.Errorf("assigning %s to %s: converting '%s': %w", name, f.key, value, err))
		}
	}
	if len(errs) == 0 {
		return c, nil
	}
	return c, invalid("environment", errs)
}

// lookupEnv finds THRONG_name or K6_name, and says which.
func lookupEnv(lookup func(string) (string, bool), name string) (found, value string, ok bool) {
	for _, prefix := range []string{"THRONG_", "K6_"} {
		if v, ok := lookup(prefix + name); ok {
			return prefix + name, v, true
		}
	}
	return "", "", false
}

// other classes a mistake that k6 ends with code 255 for.
func other(err error) error { return fault.New(fault.Other, err) }

package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// knows lists the fields of each executor beside those that all have, in the order in which k6 writes them.
func knows(executor string) []string {
	switch executor {
	case SharedIterations, PerVUIterations:
		return []string{"vus", "iterations", "maxDuration"}
	case ConstantVUs:
		return []string{"vus", "duration"}
	case RampingVUs:
		return []string{"startVUs", "stages", "gracefulRampDown"}
	case ConstantArrivalRate:
		return []string{"rate", "timeUnit", "duration", "preAllocatedVUs", "maxVUs"}
	case RampingArrivalRate:
		return []string{"startRate", "timeUnit", "stages", "preAllocatedVUs", "maxVUs"}
	case ExternallyControlled:
		return []string{"vus", "duration", "maxVUs"}
	}
	return nil
}

// Executors lists the executors' names.
func Executors() []string {
	return []string{SharedIterations, PerVUIterations, ConstantVUs, RampingVUs, ConstantArrivalRate, RampingArrivalRate, ExternallyControlled}
}

// fields is the table of the scenario's fields, those first that every executor has.
func (c *ScenarioConfig) fields() []field {
	fields := []field{
		duration("startTime", "", &c.StartTime),
		duration("gracefulStop", "", &c.GracefulStop),
		words("env", &c.Env),
		str("exec", "", &c.Exec),
		words("tags", &c.Tags),
		scenarioOptions("options", &c.Options).shown(whenSet),
	}
	for _, key := range knows(c.Executor) {
		fields = append(fields, c.own(key))
	}
	return fields
}

func (c *ScenarioConfig) own(key string) field {
	switch key {
	case "vus":
		return integer(key, "", &c.VUs)
	case "iterations":
		return integer(key, "", &c.Iterations)
	case "maxDuration":
		return duration(key, "", &c.MaxDuration)
	case "duration":
		return duration(key, "", &c.Duration)
	case "startVUs":
		return integer(key, "", &c.StartVUs)
	case "stages":
		return stages(key, "", &c.Stages)
	case "gracefulRampDown":
		return duration(key, "", &c.GracefulRampDown)
	case "rate":
		return integer(key, "", &c.Rate)
	case "startRate":
		return integer(key, "", &c.StartRate)
	case "timeUnit":
		return duration(key, "", &c.TimeUnit)
	case "preAllocatedVUs":
		return integer(key, "", &c.PreAllocatedVUs)
	}
	return integer(key, "", &c.MaxVUs)
}

func scenarios(key string, m *map[string]ScenarioConfig) field {
	f := field{key: key, ref: m}
	f.in = func(path string, raw []byte) (errs []error) {
		items, err := object(raw)
		if err != nil {
			return wrap(path, err)
		}
		v := make(map[string]ScenarioConfig, len(items))
		slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
		for _, it := range items {
			c, more := readScenario(path+"."+it.key, it)
			errs = append(errs, more...)
			v[it.key] = c
		}
		*m = v
		return errs
	}
	f.out = func() any { return *m }
	return f
}

func readScenario(path string, it item) (c ScenarioConfig, errs []error) {
	var executor Opt[string]
	if _, errs = readObject(path, it.raw, []field{str("executor", "", &executor)}); errs != nil {
		return c, errs
	}
	c.Executor = executor.V
	switch {
	case c.Executor == "":
		return c, wrap(path, fmt.Errorf("scenario '%s' doesn't have a specified executor type, choose one of %s", it.key, strings.Join(Executors(), ", ")))
	case knows(c.Executor) == nil:
		return c, wrap(path, fmt.Errorf("unknown executor type '%s', choose one of %s", c.Executor, strings.Join(Executors(), ", ")))
	}
	unknown, errs := readObject(path, it.raw, append(c.fields(), str("executor", "", &executor)))
	var known []string
	for _, f := range c.fields() {
		known = append(known, f.key)
	}
	return c, append(errs, refuse(path, unknown, "for "+c.Executor+": "+strings.Join(known, ", "))...)
}

func scenarioOptions(key string, o **ScenarioOptions) field {
	f := field{key: key, ref: o}
	f.in = func(path string, raw []byte) []error {
		var v ScenarioOptions
		browser := field{key: "browser", in: func(path string, raw []byte) []error {
			if json.Unmarshal(raw, &v.Browser) != nil {
				return wrap(path, mismatch(raw, "an object"))
			}
			return nil
		}}
		unknown, errs := readObject(path, raw, []field{browser})
		*o = &v
		return append(errs, refuse(path, unknown, "browser")...)
	}
	f.out = func() any { return *o }
	return f
}

// MarshalJSON writes the scenario as k6's inspect does: every field that its executor knows, null where it is unset.
func (c ScenarioConfig) MarshalJSON() ([]byte, error) {
	executor := Some(c.Executor)
	fields := append([]field{str("executor", "", &executor)}, c.fields()...)
	return writeObject(fields, seenInFiles), nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

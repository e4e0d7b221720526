package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"throng/internal/fault"
)

// DefaultScenario is the name of the scenario that the shortcuts vus, duration, iterations and stages stand for.
const DefaultScenario = "default"

// WithScenarios returns the options with the scenario that the shortcuts stand for, as exec.test.options and inspect show
// them, and what to warn of. Shortcuts that exclude each other are a fault.InvalidConfig. See TestShortcutsBecomeScenarios.
func (o Options) WithScenarios() (Options, []string, error) {
	var c ScenarioConfig
	var warnings []string
	switch {
	case o.Iterations.Set:
		if err := conflict("iterations", len(o.Stages) > 0, o.Scenarios != nil); err != nil {
			return o, nil, err
		}
		c = ScenarioConfig{Executor: SharedIterations, VUs: o.VUs, Iterations: o.Iterations, MaxDuration: o.Duration}
	case o.Duration.Set:
		if err := conflict("duration", len(o.Stages) > 0, o.Scenarios != nil); err != nil {
			return o, nil, err
		}
		if o.Duration.V <= 0 {
			return o, nil, fault.New(fault.InvalidConfig, fmt.Errorf(
				"`duration` option should be more than 0, for infinite duration use the externally-controlled executor"))
		}
		c = ScenarioConfig{Executor: ConstantVUs, VUs: o.VUs, Duration: o.Duration}
	case len(o.Stages) > 0:
		if err := conflict("stages", false, o.Scenarios != nil); err != nil {
			return o, nil, err
		}
		c = ScenarioConfig{Executor: RampingVUs, StartVUs: o.VUs, Stages: o.Stages}
	case o.VUs.Set:
		if len(o.Scenarios) > 0 {
			warnings = append(warnings, fmt.Sprintf("`vus=%d` overrides scenarios configuration", o.VUs.V))
		}
		c = ScenarioConfig{Executor: SharedIterations, VUs: o.VUs, Iterations: o.VUs}
	case len(o.Scenarios) > 0:
		return o, nil, nil
	default:
		for name, empty := range map[string]bool{"stages": o.Stages != nil, "scenarios": o.Scenarios != nil} {
			if empty {
				warnings = append(warnings, "`"+name+"` was explicitly set to an empty value, running the script with 1 iteration in 1 VU")
			}
		}
		slices.Sort(warnings)
		c = ScenarioConfig{Executor: PerVUIterations}
	}
	o.Scenarios = map[string]ScenarioConfig{DefaultScenario: c}
	return o, warnings, nil
}

func conflict(name string, stages, scenarios bool) error {
	other := "stages"
	if !stages {
		other = "scenarios"
	}
	if !stages && !scenarios {
		return nil
	}
	return fault.New(fault.InvalidConfig, fmt.Errorf("using `%s` and `%s` options simultaneously is not allowed", name, other))
}

// Derive returns the scenarios of the options, shortcuts included, with every default filled in, in order of name. It
// checks nothing but that the shortcuts agree; Validate has refused the rest.
func Derive(o Options) ([]Scenario, error) {
	o, _, err := o.WithScenarios()
	if err != nil {
		return nil, err
	}
	return o.Derived(), nil
}

// Derived returns the same of options that WithScenarios has returned: they keep the shortcuts beside the scenario that those stand for.
func (o Options) Derived() []Scenario {
	all := make([]Scenario, 0, len(o.Scenarios))
	for _, name := range sorted(o.Scenarios) {
		all = append(all, o.Scenarios[name].scenario(name))
	}
	return all
}

// scenario fills in the defaults of k6 (https://grafana.com/docs/k6, executors).
func (c ScenarioConfig) scenario(name string) Scenario {
	s := Scenario{
		Name: name, Executor: c.Executor, StartTime: c.StartTime.V, GracefulStop: c.GracefulStop.Or(30 * time.Second),
		Exec: c.Exec.Or("default"), Env: maps.Clone(c.Env), Tags: maps.Clone(c.Tags),
	}
	if c.Options != nil {
		s.Browser = maps.Clone(c.Options.Browser)
	}
	switch c.Executor {
	case SharedIterations, PerVUIterations:
		s.VUs, s.Iterations, s.MaxDuration = c.VUs.Or(1), c.Iterations.Or(1), c.MaxDuration.Or(10*time.Minute)
	case ConstantVUs:
		s.VUs, s.Duration = c.VUs.Or(1), c.Duration.V
	case RampingVUs:
		s.StartVUs, s.GracefulRampDown, s.Stages = c.StartVUs.Or(1), c.GracefulRampDown.Or(30*time.Second), filled(c.Stages)
	case ConstantArrivalRate:
		s.Rate, s.TimeUnit, s.Duration = c.Rate.V, c.TimeUnit.Or(time.Second), c.Duration.V
		s.PreAllocatedVUs, s.MaxVUs = c.PreAllocatedVUs.V, c.MaxVUs.Or(c.PreAllocatedVUs.V)
	case RampingArrivalRate:
		s.StartRate, s.TimeUnit, s.Stages = c.StartRate.V, c.TimeUnit.Or(time.Second), filled(c.Stages)
		s.PreAllocatedVUs, s.MaxVUs = c.PreAllocatedVUs.V, c.MaxVUs.Or(c.PreAllocatedVUs.V)
	case ExternallyControlled:
		s.VUs, s.Duration, s.MaxVUs, s.GracefulStop = c.VUs.V, c.Duration.V, c.MaxVUs.Or(c.VUs.V), 0
	}
	return s
}

func filled(l []StageConfig) []Stage {
	stages := make([]Stage, len(l))
	for i, s := range l {
		stages[i] = Stage{Duration: s.Duration.V, Target: s.Target.V}
	}
	return stages
}

// Length is how long the scenario begins iterations, from its own start: 0 for one without end.
func (s Scenario) Length() time.Duration {
	switch s.Executor {
	case SharedIterations, PerVUIterations:
		return s.MaxDuration
	case RampingVUs, RampingArrivalRate:
		var sum time.Duration
		for _, st := range s.Stages {
			sum += st.Duration
		}
		return sum
	}
	return s.Duration
}

package plan

import (
	"fmt"
	"regexp"
	"time"
)

// The most virtual users that ramping-vus takes, as in k6.
const maxRampVUs = 100_000_000

// problems are all that is wrong with one scenario, in k6's words and order.
func (c ScenarioConfig) problems(name string) []string {
	p := &complaints{}
	p.when(name == "", "scenario name can't be empty")
	p.when(!regexp.MustCompile(`^[0-9a-zA-Z_-]+$`).MatchString(name),
		"the scenario name should contain only numbers, latin letters, underscores, and dashes")
	p.when(c.Exec.Set && c.Exec.V == "", "exec value cannot be empty")
	p.when(c.StartTime.V < 0, "the startTime can't be negative")
	p.when(c.GracefulStop.V < 0, "the gracefulStop timeout can't be negative")
	s := c.scenario(name)
	switch c.Executor {
	case SharedIterations:
		p.atLeastOne("VUs", s.VUs)
		p.when(s.Iterations < s.VUs, "the number of iterations (%d) can't be less than the number of VUs (%d)", s.Iterations, s.VUs)
		p.atLeastSecond("maxDuration", s.MaxDuration)
	case PerVUIterations:
		p.atLeastOne("VUs", s.VUs)
		p.atLeastOne("iterations", s.Iterations)
		p.atLeastSecond("maxDuration", s.MaxDuration)
	case ConstantVUs:
		p.atLeastOne("VUs", s.VUs)
		p.length(c.Duration)
	case RampingVUs:
		c.ramp(p, s)
	case ConstantArrivalRate:
		p.when(!c.Rate.Set, "the iteration rate isn't specified")
		p.when(c.Rate.Set && s.Rate <= 0, "the iteration rate must be more than 0")
		p.when(s.TimeUnit <= 0, "the timeUnit must be more than 0")
		p.length(c.Duration)
		c.pool(p, s)
	case RampingArrivalRate:
		p.when(s.StartRate < 0, "the startRate value can't be negative")
		p.when(s.TimeUnit <= 0, "the timeUnit must be more than 0")
		p.stages(c.Stages)
		c.pool(p, s)
	case ExternallyControlled:
		c.outside(p, s)
	default:
		p.when(true, "unknown executor type '%s'", c.Executor)
	}
	return p.said
}

func (c ScenarioConfig) ramp(p *complaints, s Scenario) {
	p.when(s.StartVUs < 0, "the number of start VUs can't be negative")
	p.when(s.StartVUs > maxRampVUs, "the startVUs exceed max limit of %d", maxRampVUs)
	p.stages(c.Stages)
	idle := s.StartVUs <= 0 && len(s.Stages) > 0
	for i, st := range s.Stages {
		p.when(st.Target > maxRampVUs, "target for stage %d exceeds max limit of %d", i+1, maxRampVUs)
		idle = idle && c.Stages[i].Target.Set && st.Target <= 0
	}
	p.when(idle, "either startVUs or one of the stages' target values must be greater than 0")
	p.when(s.GracefulRampDown < 0, "the gracefulRampDown timeout can't be negative")
}

// pool checks the virtual users of an arrival rate.
func (c ScenarioConfig) pool(p *complaints, s Scenario) {
	p.when(!c.PreAllocatedVUs.Set, "the number of preAllocatedVUs isn't specified")
	p.when(s.PreAllocatedVUs < 0, "the number of preAllocatedVUs can't be negative")
	p.when(s.MaxVUs < s.PreAllocatedVUs, "maxVUs can't be less than preAllocatedVUs")
}

func (c ScenarioConfig) outside(p *complaints, s Scenario) {
	p.when(s.VUs < 0, "the number of VUs can't be negative")
	p.when(s.VUs > s.MaxVUs, "the number of active VUs (%d) must be less than or equal to the number of maxVUs (%d)", s.VUs, s.MaxVUs)
	p.when(!c.Duration.Set, "the duration must be specified, for infinite duration use 0")
	p.when(c.Duration.V < 0, "the duration can't be negative, for infinite duration use 0")
	p.when(c.GracefulStop.Set, "gracefulStop is not supported by the externally controlled executor")
}

type complaints struct{ said []string }

func (p *complaints) when(wrong bool, format string, args ...any) {
	if wrong {
		p.said = append(p.said, fmt.Sprintf(format, args...))
	}
}

func (p *complaints) atLeastOne(what string, n int64) {
	p.when(n <= 0, "the number of %s must be more than 0", what)
}

func (p *complaints) atLeastSecond(what string, d time.Duration) {
	p.when(d < time.Second, "the %s must be at least 1s, but is %s", what, d)
}

func (p *complaints) length(d Opt[time.Duration]) {
	if !d.Set {
		p.when(true, "the duration is unspecified")
		return
	}
	p.atLeastSecond("duration", d.V)
}

func (p *complaints) stages(l []StageConfig) {
	p.when(len(l) == 0, "at least one stage has to be specified")
	for i, s := range l {
		p.when(!s.Duration.Set, "stage %d doesn't have a duration", i+1)
		p.when(s.Duration.V < 0, "the duration for stage %d can't be negative", i+1)
		p.when(!s.Target.Set, "stage %d doesn't have a target", i+1)
		p.when(s.Target.V < 0, "the target for stage %d can't be negative", i+1)
	}
}

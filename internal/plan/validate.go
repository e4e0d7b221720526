package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"throng/internal/fault"
	"throng/internal/segment"
)

// Validate reports everything that is wrong with consolidated options, at once: a fault.InvalidConfig, or a fault.Other if
// nothing but the trend stats are wrong. exported tells whether the script exports a function of that name; nil asks nobody.
func Validate(o Options, exported func(name string) bool) error {
	errs := o.problems()
	derived, _, err := o.WithScenarios()
	if err == nil {
		errs = append(errs, derived.scenarioProblems(exported)...)
	}
	if len(errs) > 0 {
		lines := []string{"There were problems with the specified script configuration:"}
		for _, e := range errs {
			lines = append(lines, "\t- "+e.Error())
		}
		err = errors.Join(err, fault.New(fault.InvalidConfig, errors.New(strings.Join(lines, "\n"))))
	}
	stats := CheckTrendStats(o.SummaryTrendStats)
	if err == nil {
		return other(stats)
	}
	return fault.New(fault.InvalidConfig, errors.Join(err, stats))
}

// problems are those of the options that are no load shape.
func (o *Options) problems() (errs []error) {
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(o.SetupTimeout.Set && o.SetupTimeout.V <= 0, "setupTimeout must be positive")
	problem(o.TeardownTimeout.V < 0, "teardownTimeout can't be negative")
	problem(o.HandleSummaryTimeout.V < 0, "handleSummaryTimeout can't be negative")
	problem(o.Batch.Set && o.Batch.V <= 0, "batch must be more than 0, but is %d", o.Batch.V)
	problem(o.BatchPerHost.V < 0, "batchPerHost can't be negative (0: no limit per host), but is %d", o.BatchPerHost.V)
	problem(!slices.Contains([]string{"", "s", "ms", "us"}, o.SummaryTimeUnit.V),
		"invalid summary time unit '%s', use 's', 'ms' or 'us'", o.SummaryTimeUnit.V)
	if v := o.TLSVersion; v != nil && v.Min != "" && v.Max != "" {
		problem(v.Min > v.Max, "tlsVersion: min (%s) can't be above max (%s)", v.Min, v.Max)
	}
	for i, a := range o.TLSAuth {
		_, err := a.Certificate()
		problem(err != nil, "tlsAuth[%d]: %w", i, err)
	}
	return append(errs, o.segmentProblems()...)
}

// segmentProblems: every node of one test must find its own part in the sequence that all share.
func (o *Options) segmentProblems() []error {
	seg, err := segment.Parse(o.ExecutionSegment.V)
	if err != nil {
		return []error{err}
	}
	if !o.ExecutionSegmentSequence.Set {
		return nil
	}
	q, err := segment.ParseSequence(o.ExecutionSegmentSequence.V)
	if err != nil {
		return []error{err}
	}
	if q.Filled().Find(seg) < 0 {
		return []error{fmt.Errorf("provided segment %s can't be found in sequence %s", seg, q)}
	}
	return nil
}

func (o *Options) scenarioProblems(exported func(string) bool) (errs []error) {
	for _, name := range sorted(o.Scenarios) {
		if problems := o.Scenarios[name].problems(name); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("scenario %s has configuration errors: %s", name, strings.Join(problems, ", ")))
		}
	}
	for _, name := range sorted(o.Scenarios) {
		exec := o.Scenarios[name].Exec.Or("default")
		if exported != nil && exec != "" && !exported(exec) {
			errs = append(errs, fmt.Errorf("executor %s: function '%s' not found in exports", name, exec))
		}
	}
	return errs
}

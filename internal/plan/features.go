package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The feature flags of k6 2.2 (https://grafana.com/docs/k6, feature flags).
const (
	NativeHistograms = "native-histograms"
	MergeRunTags     = "merge-run-tags"
	FreezeEnv        = "freeze-env"
)

// KnownFeatures lists the feature flags there are. Add yours here.
func KnownFeatures() []string { return []string{FreezeEnv, MergeRunTags, NativeHistograms} }

// Has tells whether a feature flag is on.
func (o *Options) Has(feature string) bool { return slices.Contains(o.Features, feature) }

// UnknownFeatures returns a warning for each feature flag that does not exist.
func (o *Options) UnknownFeatures() []string {
	var warnings []string
	for _, f := range o.Features {
		if !slices.Contains(KnownFeatures(), f) {
			warnings = append(warnings, fmt.Sprintf("unknown feature flag %q is ignored, known are %s", f, strings.Join(KnownFeatures(), ", ")))
		}
	}
	return warnings
}

// RunTags are the tags on every sample of the run: the option, and one for each feature flag that is on.
func (o *Options) RunTags() map[string]string {
	tags := maps.Clone(o.Tags)
	for _, f := range KnownFeatures() {
		if o.Has(f) {
			if tags == nil {
				tags = map[string]string{}
			}
			tags["k6_feature_"+strings.ReplaceAll(f, "-", "_")] = "true"
		}
	}
	return tags
}

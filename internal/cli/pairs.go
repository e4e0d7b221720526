package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"throng/internal/view/output"
)

// pairs is the value of a flag that takes KEY=VALUE, several times or several with commas. Unlike pflag's own its help shows no
// empty list as the default.
type pairs struct{ to *map[string]string }

// Set implements pflag.Value.
func (p pairs) Set(text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return fmt.Errorf("%.80q: KEY=VALUE would be right, such as zone=a", pair)
		}
		if *p.to == nil {
			*p.to = map[string]string{}
		}
		(*p.to)[k] = v
	}
	return nil
}

// String implements pflag.Value.
func (p pairs) String() string {
	if p.to == nil {
		return ""
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(*p.to)) {
		all = append(all, k+"="+(*p.to)[k])
	}
	return strings.Join(all, ",")
}

// Type implements pflag.Value.
func (p pairs) Type() string { return "KEY=VALUE" }

// offer has shells complete a flag with these values.
func offer(c *cobra.Command, flag string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is not there: a fault of the table of commands, which every test of the binary shows
	}
}

// offerOutputs lets shells complete the names of outputs.
func offerOutputs(c *cobra.Command) {
	var names []string
	for name, kind := range output.Kinds() {
		if kind.Argument {
			name += "="
		}
		names = append(names, name)
	}
	slices.Sort(names)
	complete := cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)
	if err := c.RegisterFlagCompletionFunc("out", complete); err != nil {
		panic(err) // as in offer
	}
}

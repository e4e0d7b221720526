package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func newArchive(g *global) *cobra.Command {
	var out string
	var excludeEnv bool
	c := &cobra.Command{
		Use: "archive FILE", Short: "pack a script with everything that it needs", Args: exactlyOneScript("archive"),
		Long: "archive packs a script, its imports, the files that it opens and its consolidated options into one tar file,\n" +
			"in k6's layout. throng run and k6 run take it instead of a script.",
	}
	f := addTestFlags(c, false)
	c.Flags().StringVarP(&out, "archive-out", "O", "archive.tar", "the archive's name; - is standard output")
	c.Flags().BoolVar(&excludeEnv, "exclude-env-vars", false, "leave the values of --env out of the archive")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := g.loadToPack(f, args[0])
		if err != nil {
			return err
		}
		opts, _, err := t.inspect(cmd.Context(), g)
		if err != nil {
			return err
		}
		env := t.env
		if excludeEnv {
			env = nil
		}
		options, err := opts.MarshalJSON()
		if err != nil {
			return err
		}
		b := t.script.Pack(options, env, t.runtime.CompatibilityMode, "v"+K6Version)
		if out == "-" {
			return b.Write(g.Stdout)
		}
		return writeFile(out, b.Write)
	}
	return c
}

// writeFile writes a file that is not there, or not changed, if writing fails.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(dirOf(name), ".throng-*")
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(f.Name()))
	}
	return nil
}

package cli

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed templates/minimal.js
var minimalTemplate string

//go:embed templates/protocol.js
var protocolTemplate string

func newNew(g *global) *cobra.Command {
	var force bool
	var template string
	c := &cobra.Command{
		Use: "new [file]", Short: "write a first script", Args: cobra.MaximumNArgs(1),
		Long: "new writes a script to start from: script.js, or the file you name. It never overwrites a file unless told to.",
		RunE: func(_ *cobra.Command, args []string) error {
			name := "script.js"
			if len(args) > 0 {
				name = args[0]
			}
			text, err := templateText(template)
			if err != nil {
				return err
			}
			flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
			if force {
				flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
			}
			f, err := os.OpenFile(name, flags, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s already exists: use --force to overwrite it", name)
			}
			if err != nil {
				return fmt.Errorf("create the script: %w", err)
			}
			if _, err := f.WriteString(text); err != nil {
				return errors.Join(fmt.Errorf("write %s: %w", name, err), f.Close())
			}
			if err := f.Close(); err != nil {
				return fmt.Errorf("write %s: %w", name, err)
			}
			_, err = fmt.Fprintf(g.Stdout, "Wrote %s. Run it:  throng run %s\n", name, name)
			return err
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "overwrite an existing file")
	c.Flags().StringVar(&template, "template", "minimal", "what to write: minimal, protocol, or the path of a file of your own")
	return c
}

func templateText(name string) (string, error) {
	switch name {
	case "minimal":
		return minimalTemplate, nil
	case "protocol":
		return protocolTemplate, nil
	case "browser":
		return "", errors.New("the template browser needs k6/browser, which throng does not have yet: use minimal or protocol")
	}
	if !strings.ContainsAny(name, `./\`) {
		return "", fmt.Errorf("unknown template %q: use minimal, protocol or the path of a file", name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read the template: %w", err)
	}
	return string(data), nil
}

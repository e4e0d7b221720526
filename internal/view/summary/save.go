package summary

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Save puts what handleSummary returned where it belongs, in order of name: the names stdout and stderr are those
// streams, any other is a file, which create opens afresh. Everything is tried; the error names each that did not work.
func Save(files map[string][]byte, stdout, stderr io.Writer, create func(path string) (io.WriteCloser, error)) error {
	var broken []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := save(name, files[name], stdout, stderr, create); err != nil {
			broken = append(broken, "\t- "+err.Error())
		}
	}
	if broken == nil {
		return nil
	}
	return errors.New("Could not save some summary information:\n" + strings.Join(broken, "\n")) // k6's words
}

func save(name string, data []byte, stdout, stderr io.Writer, create func(string) (io.WriteCloser, error)) error {
	switch name {
	case "stdout", "stderr":
		w := stdout
		if name == "stderr" {
			w = stderr
		}
		if _, err := w.Write(data); err != nil {
			return fmt.Errorf("could not write to %s: %w", name, err)
		}
		return nil
	}
	f, err := create(name)
	if err != nil {
		return fmt.Errorf("could not open '%s': %w", name, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("could not write to '%s': %w", name, err)
	}
	return nil
}

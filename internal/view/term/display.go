package term

import (
	"context"
	"io"
	"strings"
	"time"
)

// How often the progress is drawn.
const (
	onTerminal = 100 * time.Millisecond
	elsewhere  = time.Second
)

// Display shows the progress of a run.
type Display struct {
	Out    io.Writer
	Screen *Screen // nil: Out is no terminal
	Colour bool
	Quiet  bool // nothing is shown
}

// Run draws what frame returns until ctx is done: in place on a terminal, else as a few lines every second. Then it
// takes the progress off the terminal; Final prints how it ended. Its error is that of writing.
func (d Display) Run(ctx context.Context, frame func() Frame) error {
	if d.Quiet {
		<-ctx.Done()
		return nil
	}
	every := elsewhere
	if d.Screen != nil {
		every = onTerminal
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if d.Screen != nil {
				return d.Screen.Clear()
			}
			return nil
		case <-tick.C:
			if err := d.draw(frame()); err != nil {
				return err
			}
		}
	}
}

func (d Display) draw(f Frame) error {
	if d.Screen == nil {
		return d.print(f.Plain())
	}
	return d.Screen.Draw(func(w, h int) []string {
		return append([]string{""}, f.Lines(w, h-1, d.Colour)...)
	})
}

// Final prints the last state, to stay.
func (d Display) Final(f Frame) error {
	if d.Quiet {
		return nil
	}
	if d.Screen == nil {
		return d.print(f.Plain())
	}
	width, _ := d.Screen.size()
	return d.print(f.Lines(width, 3+len(f.Scenarios), d.Colour))
}

func (d Display) print(lines []string) error {
	_, err := io.WriteString(d.Out, "\n"+strings.Join(lines, "\n")+"\n")
	return err
}

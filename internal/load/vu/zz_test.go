package vu

import (
	"fmt"
	"testing"

	"github.com/grafana/sobek"
)

func TestZZ(t *testing.T) {
	for _, src := range []string{`(function(){ stop(); for(;;){} })`, `(async function(){ stop(); for(;;){} })`, `(async function(){ await null; stop(); for(;;){} })`, `(async function(){ try { stop(); for(;;){} } finally {} })`} {
		rt := sobek.New()
		rt.Set("stop", func() { rt.Interrupt("x") })
		rt.Set("log", func(s string) { fmt.Println("  ", s) })
		v, _ := rt.RunString(src)
		f, _ := sobek.AssertFunction(v)
		fmt.Println(src)
		func() {
			defer func() {
				if x := recover(); x != nil {
					fmt.Println("panic", x)
				}
			}()
			_, err := f(sobek.Undefined())
			fmt.Println(err)
		}()
		rt.ClearInterrupt()
		v, err := rt.RunString(`(async function(){ log('a'); await null; log('b') })`)
		fmt.Println(err)
		f, _ = sobek.AssertFunction(v)
		_, err = f(sobek.Undefined())
		fmt.Println(err, len(rt.CaptureCallStack(0, nil)))
	}
}

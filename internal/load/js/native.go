package js

// Exports is what a module written in Go gives to scripts. Named imports that are not in Named are undefined, as in k6.
// Values are what sobek's ToValue takes.
type Exports struct {
	Default any // nil: an object of all Named
	Named   map[string]any
}

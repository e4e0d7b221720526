package plan

// Opt is a value that may be unset, so that layers can be merged.
type Opt[T any] struct {
	V   T
	Set bool
}

// Some is a set value.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, Set: true} }

// Or returns the value, or d when it is unset.
func (o Opt[T]) Or(d T) T {
	if o.Set {
		return o.V
	}
	return d
}

// IsSet tells whether a layer has set the value.
func (o Opt[T]) IsSet() bool { return o.Set }

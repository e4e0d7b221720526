package sketch

// Trend placeholder, replaced by its author.
type Trend struct{}

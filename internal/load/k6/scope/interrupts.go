package scope

import "sync"

// Interrupts are the functions that cut off I/O which does not watch a context. They are called in the order in which
// they were added, from any goroutine; the virtual user's own may add one at any time.
type Interrupts struct {
	mu   sync.Mutex
	list []func() // what stands in an array never changes
	now  bool     // they were called, and Clear was not
}

// Add registers f. If the virtual user has been interrupted already, f is called at once.
func (i *Interrupts) Add(f func()) {
	i.mu.Lock()
	i.list = append(i.list, f)
	now := i.now
	i.mu.Unlock()
	if now {
		f()
	}
}

// AddFirst is Add for what takes no time and should not wait for what does.
func (i *Interrupts) AddFirst(f func()) {
	i.mu.Lock()
	i.list = append([]func(){f}, i.list...)
	now := i.now
	i.mu.Unlock()
	if now {
		f()
	}
}

// Call calls all.
func (i *Interrupts) Call() {
	i.mu.Lock()
	i.now = true
	all := i.list
	i.mu.Unlock()
	for _, f := range all {
		f()
	}
}

// Clear ends the interruption.
func (i *Interrupts) Clear() {
	i.mu.Lock()
	i.now = false
	i.mu.Unlock()
}

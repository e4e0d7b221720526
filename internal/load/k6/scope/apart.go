package scope

// Apart runs f on a goroutine of its own and waits for it, panics included. It is for what needs a deep stack and is done
// once: a virtual user keeps for long the stack that it has once needed, and thousands would each keep one. While init code
// runs, the stack is not a virtual user's.
func (vu *VU) Apart(f func()) {
	if vu.Phase == Init {
		f()
		return
	}
	var thrown any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { thrown = recover() }()
		f()
	}()
	<-done
	if thrown != nil {
		panic(thrown)
	}
}

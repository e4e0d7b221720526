package node

import "testing"

func TestRunnersShareTheMemory(t *testing.T) {
	const gib = 1 << 30
	var r room
	if got, want := r.share(gib), uint64((gib-gib/8)/5*4); got != want {
		t.Errorf("alone on a small host: %d, want %d", got, want)
	}
	one, two := make(chan struct{}), make(chan struct{})
	r.add(one)
	r.add(two)
	if got, want := r.share(10*gib), uint64((10*gib-reserve)/5*4/3); got != want {
		t.Errorf("the third: %d, want %d", got, want)
	}
	close(one)
	close(two)
	if got, want := r.share(10*gib), uint64((10*gib-reserve)/5*4); got != want {
		t.Errorf("when the others are gone: %d, want %d", got, want)
	}
	if got := r.share(0); got != 0 {
		t.Errorf("nothing is known: %d", got)
	}
}

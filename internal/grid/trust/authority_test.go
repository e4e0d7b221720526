package trust

import (
	"testing"
)

func TestTheAuthoritySignsForNodesAlone(t *testing.T) {
	a := authority(t)
	id, err := OpenIdentity(t.TempDir(), at(noon).now)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := id.CSR()
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []Role{Anonymous, Operator, Viewer, Join, "root"} {
		if _, err := a.Sign(csr, Subject{Name: "n1", Role: role, Hosts: []string{"127.0.0.1"}}, noon); err == nil {
			t.Errorf("it signed for role %q", role)
		}
	}
	if _, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"127.0.0.1"}}, noon); err != nil {
		t.Errorf("it did not sign for a node: %v", err)
	}
}

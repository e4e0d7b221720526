package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheMemoryOfControlGroups(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		free  uint64
		ok    bool
	}{
		{"none", map[string]string{"self": "0::/\n"}, 0, false},
		{"unlimited", map[string]string{"self": "0::/a\n", "a/memory.max": "max\n", "a/memory.current": "9\n"}, 0, false},
		{"its own, and files can be given up", map[string]string{
			"self": "0::/s/throng.service\n", "s/throng.service/memory.max": "1000\n", "s/throng.service/memory.current": "700\n",
			"s/throng.service/memory.stat": "anon 200\nfile 450\nfile_mapped 400\n",
		}, 750, true},
		{"one around it has less", map[string]string{
			"self": "0::/s/throng.service\n", "s/throng.service/memory.max": "1000\n", "s/throng.service/memory.current": "100\n",
			"s/memory.max": "2000\n", "s/memory.current": "1700\n",
		}, 300, true},
		{"a container's, of which only the root can be seen", map[string]string{"self": "0::/docker/x\n", "memory.max": "500\n", "memory.current": "600\n"}, 0, true},
		{"version 1", map[string]string{
			"self": "5:cpu,cpuacct:/c\n4:memory:/p\n0::/\n", "memory/p/memory.limit_in_bytes": "1000\n", "memory/p/memory.usage_in_bytes": "400\n",
			"memory/p/memory.stat": "cache 1\ntotal_cache 100\n", "memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 700, true},
	} {
		root := t.TempDir()
		for name, data := range tt.files {
			name = filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if free, ok := groupMemory(filepath.Join(root, "self"), root); free != tt.free || ok != tt.ok {
			t.Errorf("%s: %d, %v; want %d, %v", tt.name, free, ok, tt.free, tt.ok)
		}
	}
}

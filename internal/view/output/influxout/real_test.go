package influxout_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"throng/internal/metric"
)

// influxd starts Debian's influxdb and returns its address.
func influxd(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("influxd")
	if err != nil {
		t.Skip("no influxd here: apt-get install influxdb")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf("reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n[meta]\ndir = \"%s/meta\"\n[data]\ndir = \"%[1]s/data\"\nwal-dir = \"%[1]s/wal\"\n"+
		"[http]\nbind-address = \"127.0.0.1:0\"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n", dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-config", config)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		listens := regexp.MustCompile(`Listening on HTTP.* addr=(\S+)`)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := listens.FindStringSubmatch(lines.Text()); m != nil {
				found <- "http://" + m[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	select {
	case addr := <-found:
		return addr
	case <-read:
		t.Fatal("influxd ended")
	case <-time.After(time.Minute):
		t.Fatal("influxd does not listen")
	}
	return ""
}

// ask runs a query and returns the first series' rows.
func ask(t *testing.T, addr, db, query string) [][]any {
	t.Helper()
	res, err := http.Get(addr + "/query?" + url.Values{"db": {db}, "q": {query}, "epoch": {"ns"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
		Error string
	}
	d := json.NewDecoder(res.Body)
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != "" || len(answer.Results) != 1 || answer.Results[0].Error != "" || len(answer.Results[0].Series) == 0 {
		t.Fatalf("%s: %+v", query, answer)
	}
	return answer.Results[0].Series[0].Values
}

func TestARealServerStoresWhatWasMeasured(t *testing.T) {
	t.Parallel()
	addr := influxd(t)
	const db = `a "strange", name`
	tags := map[string]string{"scenario": "default", "url": `http://h/?a="b c"`, "nl": "a\nb", "end": `v\`, "uml üml": "é", "k=,": "v=, ", "empty": "", "bad": "\xff", "f": "1.5", "n": "x"}
	var all []metric.Sample
	table, m := metric.NewTags(), &metric.Metric{Name: "http_reqs"}
	for i := range 20_000 {
		all = append(all, metric.Sample{Metric: m, Time: when.Add(time.Duration(i)), Value: float64(i), Tags: table.From(tags)})
	}
	play(t, addr+"/"+url.PathEscape(db), env("K6_INFLUXDB_TAGS_AS_FIELDS", "url,f:float,n:int"), all...)
	if got := fmt.Sprint(ask(t, addr, db, "select count(value), sum(value), max(value) from http_reqs")[0][1:]); got != "[20000 199990000 19999]" {
		t.Errorf("count, sum and maximum are %s", got)
	}
	if got := fmt.Sprint(ask(t, addr, db, "show field keys")); got != "[[f float] [url string] [value float]]" {
		t.Errorf("fields: %s", got)
	}
	if got := fmt.Sprint(ask(t, addr, db, "show tag keys")); got != "[[bad] [end] [k=,] [nl] [scenario] [uml üml]]" {
		t.Errorf("tags: %s", got)
	}
	row := ask(t, addr, db, `select f, url, nl, "end", "k=," from http_reqs limit 1`)[0]
	if got := fmt.Sprintf("%q", row); got != `["1795664295650639059" "1.5" "http://h/?a=\"b c\"" "a b" "v" "v=, "]` {
		t.Errorf("the first row is %s", got)
	}
}

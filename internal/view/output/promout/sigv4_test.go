package promout

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
)

// TestSignaturesAreAWSs has the example of AWS' own description: ListUsers of IAM, on 30 August 2015.
func TestSignaturesAreAWSs(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequest(http.MethodGet, "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	s := signer{"us-east-1", "iam", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	s.sign(req, nil, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, " +
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	if got := req.Header.Get("Authorization"); got != want || req.Header.Get("X-Amz-Date") != "20150830T123600Z" {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRequestsToAWSAreSigned(t *testing.T) {
	t.Parallel()
	srv, s := serve(t), newScript()
	play(t, env("SERVER_URL", srv.URL+"/workspaces/ws-1/api/v1/remote_write", "SIGV4_REGION", "eu-west-1", "SIGV4_ACCESS_KEY", "AK", "SIGV4_SECRET_KEY", "hunter2"),
		[]metric.Sample{s.sample("c", metric.Counter, metric.Default, 1, nil)})
	got := srv.header[0].Get("Authorization")
	if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AK/") || !strings.Contains(got, "/eu-west-1/aps/aws4_request, ") || strings.Contains(got, "hunter2") || len(srv.got[0]) != 1 {
		t.Errorf("%q", got)
	}
}

package push

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// HTTP is where bodies are posted to.
type HTTP struct {
	URL      *url.URL // without a user
	Header   http.Header
	Username string
	Password string
	Timeout  time.Duration // of one attempt
	TLS      *tls.Config
	Proxy    *url.URL // nil: as the environment says
	Conns    int      // how many connections are kept
}

// Client returns what posts; Post uses it.
func (h *HTTP) Client() *http.Client {
	proxy := http.ProxyFromEnvironment
	if h.Proxy != nil {
		proxy = http.ProxyURL(h.Proxy)
	}
	return &http.Client{
		Timeout: h.Timeout,
		Transport: &http.Transport{
			Proxy: proxy, TLSClientConfig: h.TLS, MaxIdleConnsPerHost: max(1, h.Conns), IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		// A redirected POST would come as a GET, and with a success that says nothing.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxAnswer is how much of a refusal is quoted.
const maxAnswer = 300

// Post sends data. The error, where the server answered with no success, is a StatusError; Refused if the same would be refused again:
// of all 4xx but 408 and 429, and of redirections. No error names the address or what was sent.
func (h *HTTP) Post(ctx context.Context, c *http.Client, data []byte, header ...string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL.String(), bytes.NewReader(data))
	if err != nil {
		return Refused(err)
	}
	for k, v := range h.Header {
		req.Header[k] = v
		if strings.EqualFold(k, "Host") && len(v) > 0 {
			req.Host = v[0]
		}
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if h.Username != "" || h.Password != "" {
		req.SetBasicAuth(h.Username, h.Password)
	}
	res, err := c.Do(req)
	if err != nil {
		return plain(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection can be used again
	if res.StatusCode/100 == 2 {
		return nil
	}
	status := &StatusError{Code: res.StatusCode, Answer: oneLine(answer)}
	if res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusRequestTimeout {
		return Refused(status)
	}
	return status
}

// StatusError is an answer that is no success.
type StatusError struct {
	Code   int
	Answer string // its beginning, as one line
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("the server answered %d %s", e.Code, http.StatusText(e.Code))
	if e.Answer != "" {
		text += ": " + e.Answer
	}
	return text
}

// plain is what is wrong, without the address that it was tried with.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() {
			return errors.New("the server does not answer in time")
		}
		return wrapped.Err
	}
	return err
}

func oneLine(b []byte) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "?")), " ")
}

// ParseURL reads the address of a server. The user and the password in it come apart, so that the address may be shown; an
// error repeats nothing of an address that may hold them.
func ParseURL(text string) (u *url.URL, username, password string, err error) {
	u, err = url.Parse(text)
	if strings.Contains(text, "@") && (err != nil || u.User == nil) {
		return nil, "", "", errors.New("the address is malformed (it is not shown because it may hold a password)")
	}
	if err != nil {
		return nil, "", "", err
	}
	if u.User != nil {
		username = u.User.Username()
		password, _ = u.User.Password()
		u.User = nil
	}
	return u, username, password, nil
}

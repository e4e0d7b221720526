package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"throng/internal/fault"
	"throng/internal/grid/client"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// access is how a command finds a grid and proves who it is.
type access struct{ grid, tokenFile string }

func (a *access) addFlags(f *pflag.FlagSet) {
	f.StringVar(&a.grid, "grid", "", "`URL` of any node of a grid, or several with commas (default: THRONG_GRID)")
	f.StringVar(&a.tokenFile, "token-file", "", "`FILE` with the token that proves who you are (default: THRONG_TOKEN_FILE, then "+defaultTokenFile()+")")
}

func defaultTokenFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "throng", "token")
}

// named reports whether a grid was named.
func (a *access) named(g *global) bool { return g.setting(a.grid, "GRID", "") != "" }

// dial returns the way to the grid that was named.
func (a *access) dial(g *global) (*client.Grid, error) {
	text := g.setting(a.grid, "GRID", "")
	if text == "" {
		return nil, fault.WithHint(fault.InvalidConfig, errors.New("no grid was named"), "--grid https://HOST:2379, or THRONG_GRID, names any node of it")
	}
	addresses, plain, err := addresses(text)
	if err != nil {
		return nil, err
	}
	if plain {
		return client.New(courier.Client{HTTP: &http.Client{}}, addresses), nil
	}
	token, err := a.token(g)
	if err != nil {
		return nil, err
	}
	return client.New(courier.Client{
		HTTP: &http.Client{Transport: trust.PinnedTransport(token.Pin, time.Now)}, Token: token.Reveal,
	}, addresses), nil
}

// addresses reads a list of nodes' addresses; plain says that they are of a grid without TLS.
func addresses(text string) (out []string, plain bool, err error) {
	for _, a := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		if !strings.Contains(a, "://") {
			a = "https://" + a
		}
		u, err := url.Parse(a)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, false, fault.New(fault.InvalidConfig, fmt.Errorf("%q is no address of a node: https://HOST:2379 would be right", a))
		}
		plain = u.Scheme == "http"
		out = append(out, u.Scheme+"://"+u.Host)
	}
	if plain {
		for _, a := range out {
			u, err := url.Parse(a)
			if err != nil {
				return nil, false, err
			}
			if err := trust.CheckInsecure(u.Hostname()); err != nil {
				return nil, false, fault.New(fault.InvalidConfig, err)
			}
		}
	}
	return out, plain, nil
}

func (a *access) token(g *global) (trust.Token, error) {
	name, asked := g.setting(a.tokenFile, "TOKEN_FILE", ""), true
	if name == "" {
		name, asked = defaultTokenFile(), false
	}
	t, warning, err := trust.ReadToken(name)
	if errors.Is(err, os.ErrNotExist) && !asked {
		return t, fault.WithHint(fault.InvalidConfig, errors.New("the grid asks for a token, and none was given"),
			"--token-file or THRONG_TOKEN_FILE names a file with one; the first node wrote operator.token into its data directory")
	}
	if err != nil {
		return t, fault.New(fault.InvalidConfig, err)
	}
	if warning != "" {
		g.log.Warn(warning)
	}
	return t, nil
}

package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Bundle is a test with all that it needs.
type Bundle struct {
	Options           json.RawMessage // consolidated; nil counts as {}
	Filename          *url.URL        // the main script: file:// or https://
	Pwd               *url.URL        // what a relative path on the command line meant
	Env               map[string]string
	CompatibilityMode string
	Version           string            // of what wrote it, in k6's numbering
	OS                string            // GOOS of what wrote it
	Dependencies      map[string]string // k6 and its extensions, and the versions wanted

	Script []byte
	Files  map[string][]byte // by URL; the main script need not be among them

	// Own returns a copy of one of Files that may be written to, where that can be had for less than its size; else it is nil.
	Own func([]byte) []byte
}

// metadata is metadata.json as k6 writes it (https://grafana.com/docs/k6, "Archive command"); the order is k6's.
type metadata struct {
	Type              string            `json:"type"`
	Options           json.RawMessage   `json:"options"`
	Filename          string            `json:"filename"`
	Pwd               string            `json:"pwd"`
	Env               map[string]string `json:"env"`
	CompatibilityMode string            `json:"compatibilityMode"`
	Version           string            `json:"k6version"`
	OS                string            `json:"goos"`
	Dependencies      map[string]string `json:"dependencies,omitempty"`
}

func (b *Bundle) metadata() ([]byte, error) {
	m := metadata{
		Type: "js", Options: b.Options, Filename: Anonymous(b.Filename).String(), Pwd: Anonymous(b.Pwd).String(), Env: b.Env,
		CompatibilityMode: b.CompatibilityMode, Version: b.Version, OS: b.OS, Dependencies: b.Dependencies,
	}
	if m.Options == nil {
		m.Options = json.RawMessage("{}")
	}
	if m.Env == nil {
		m.Env = map[string]string{}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // thresholds are full of < and >
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("write metadata.json: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Digest is the SHA-256 of the archive, in hexadecimal: two bundles with the same digest are the same test.
func (b *Bundle) Digest() (string, error) {
	h := sha256.New()
	if err := b.Write(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// home matches the part of a path that names a person: the entry below a directory of homes.
var home = regexp.MustCompile(`^(/[A-Za-z])?/(home|Users|Documents and Settings)/[^/]+`)

// Anonymous returns u as it may travel: a user's home belongs to nobody, a Windows drive is a directory.
func Anonymous(u *url.URL) *url.URL {
	if u == nil {
		return &url.URL{Scheme: "file", Path: "/"}
	}
	out := *u
	if out.Scheme == "file" || out.Scheme == "" {
		out.Scheme = "file"
		out.Path, out.RawPath = anonymousPath(out.Path), ""
	}
	return &out
}

func anonymousPath(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	p = "/" + strings.TrimLeft(p, "/")
	if len(p) > 2 && p[2] == ':' { // /C:/x
		p = p[:2] + p[3:]
	}
	return home.ReplaceAllString(p, "$1/$2/nobody")
}

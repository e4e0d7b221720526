package k6http

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// Jar keeps cookies between requests. It is safe for concurrent use, and weighs nothing until it holds a cookie.
// Like k6 it knows no public suffixes.
type Jar struct {
	jar atomic.Pointer[cookiejar.Jar]
}

// SetCookies implements http.CookieJar.
func (j *Jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	if len(cookies) == 0 {
		return
	}
	jar := j.jar.Load()
	if jar == nil {
		fresh, _ := cookiejar.New(nil) // it never fails
		if !j.jar.CompareAndSwap(nil, fresh) {
			fresh = j.jar.Load()
		}
		jar = fresh
	}
	jar.SetCookies(u, cookies)
}

// Cookies implements http.CookieJar.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie {
	if j == nil {
		return nil
	}
	if jar := j.jar.Load(); jar != nil {
		return jar.Cookies(u)
	}
	return nil
}

func (j *Jar) empty() bool { return j.jar.Load() == nil }

// JarOf returns the jar behind a CookieJar that a script passes as a param.
func JarOf(v sobek.Value) (*Jar, bool) {
	o, ok := v.(*sobek.Object)
	if !ok {
		return nil, false
	}
	j, ok := o.Export().(*jarObject)
	if !ok {
		return nil, false
	}
	return j.jar, true
}

func (c *client) currentJar() *Jar {
	if c.jar == nil {
		c.jar = &Jar{}
	}
	return c.jar
}

// jarObject is a CookieJar as scripts see it; its methods work without their object, like k6's.
type jarObject struct {
	record
	jar *Jar
}

func (c *client) newJarObject(j *Jar) *sobek.Object {
	o := &jarObject{jar: j}
	method := func(name string, f func(sobek.FunctionCall) sobek.Value) {
		o.fields = append(o.fields, property{name, c.vu.Runtime.ToValue(f)})
	}
	method("clear", func(f sobek.FunctionCall) sobek.Value {
		u := c.jarURL(f)
		gone := j.Cookies(u)
		for _, ck := range gone {
			ck.MaxAge = -1
		}
		j.SetCookies(u, gone)
		return sobek.Undefined()
	})
	method("cookiesForURL", func(f sobek.FunctionCall) sobek.Value {
		out, at := c.vu.Runtime.NewObject(), map[string]*sobek.Object{}
		for _, ck := range j.Cookies(c.jarURL(f)) {
			list := at[ck.Name]
			if list == nil {
				list = c.vu.Runtime.NewArray()
				at[ck.Name] = list
				_ = out.Set(ck.Name, list)
			}
			_ = list.Set(strconv.Itoa(length(list)), ck.Value)
		}
		return out
	})
	method("delete", func(f sobek.FunctionCall) sobek.Value {
		j.SetCookies(c.jarURL(f), []*http.Cookie{{Name: f.Argument(1).String(), MaxAge: -1}})
		return sobek.Undefined()
	})
	method("set", func(f sobek.FunctionCall) sobek.Value {
		u := c.jarURL(f)
		ck := &http.Cookie{Name: f.Argument(1).String(), Value: cookieText(f.Argument(2))}
		if err := c.cookieOptions(ck, f.Argument(3)); err != nil {
			c.throw(err)
		}
		j.SetCookies(u, []*http.Cookie{ck})
		return c.vu.Runtime.ToValue(true)
	})
	return c.vu.Runtime.NewDynamicObject(o)
}

func cookieText(v sobek.Value) string {
	if nothing(v) {
		return ""
	}
	return v.String()
}

func (c *client) jarURL(f sobek.FunctionCall) *url.URL {
	u, err := url.Parse(cookieText(f.Argument(0)))
	if err != nil {
		c.throw(err)
	}
	return u
}

// cookieOptions reads the last argument of CookieJar.set().
func (c *client) cookieOptions(ck *http.Cookie, v sobek.Value) error {
	if nothing(v) {
		return nil
	}
	o := v.ToObject(c.vu.Runtime)
	for _, k := range o.Keys() {
		switch v := o.Get(k); k {
		case "path":
			ck.Path = v.String()
		case "domain":
			ck.Domain = v.String()
		case "expires":
			if s := v.String(); s != "" {
				at, err := time.Parse(time.RFC1123, s)
				if err != nil {
					return fmt.Errorf(`unable to parse "expires" date string "%s": %w`, s, err)
				}
				ck.Expires = at
			}
		case "max_age":
			ck.MaxAge = int(v.ToInteger())
		case "secure":
			ck.Secure = v.ToBoolean()
		case "http_only":
			ck.HttpOnly = v.ToBoolean()
		}
	}
	return nil
}

// jarConstructor is http.CookieJar, which k6 lets scripts call with and without new.
func (c *client) jarConstructor() sobek.Value {
	return c.vu.Runtime.ToValue(func(sobek.ConstructorCall) *sobek.Object { return c.newJarObject(&Jar{}) })
}

// cookieJar is http.cookieJar(): the jar of the virtual user.
func (c *client) cookieJar(sobek.FunctionCall) sobek.Value {
	if c.vu.Phase == scope.Init {
		c.throw(errInitJar)
	}
	if c.jarValue == nil {
		c.jarValue = c.newJarObject(c.currentJar())
	}
	return c.jarValue
}

// resetJar gives an iteration a jar of its own. A jar that no script has seen and no response has filled is as good as
// a new one.
func (c *client) resetJar() {
	if c.jarValue != nil || c.jar != nil && !c.jar.empty() {
		c.jar, c.jarValue = nil, nil
	}
}

package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"throng/internal/threshold"
)

// The fields below are options with a shape of their own.

func stages(key, env string, l *[]StageConfig) field {
	f := field{key: key, env: env, ref: l}
	f.in = func(path string, raw []byte) (errs []error) {
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return wrap(path, mismatch(raw, "a list of stages such as {duration: '1m', target: 10}"))
		}
		v := make([]StageConfig, len(items))
		for i, item := range items {
			at := fmt.Sprintf("%s[%d]", path, i)
			_, more := readObject(at, item, []field{
				duration("duration", "", &v[i].Duration), integer("target", "", &v[i].Target),
			})
			errs = append(errs, more...)
		}
		*l = v
		return errs
	}
	f.text = func(s string) (err error) {
		v, err := parseStages(commas(s), ParseDuration)
		if err == nil {
			*l = v
		}
		return err
	}
	f.out = func() any {
		type stage struct {
			Duration *string `json:"duration"`
			Target   *int64  `json:"target"`
		}
		v := make([]stage, len(*l))
		for i, s := range *l {
			if s.Duration.Set {
				text := FormatDuration(s.Duration.V)
				v[i].Duration = &text
			}
			if s.Target.Set {
				v[i].Target = &s.Target.V
			}
		}
		return v
	}
	return f
}

// parseStages reads stages as flags and the environment write them: duration:target, the target optional.
func parseStages(texts []string, parse func(string) (time.Duration, error)) ([]StageConfig, error) {
	v := make([]StageConfig, 0, len(texts))
	for i, text := range texts {
		long, target, _ := strings.Cut(text, ":")
		if long == "" {
			return nil, fmt.Errorf("stage %d doesn't have a specified duration", i)
		}
		d, err := parse(long)
		if err != nil {
			return nil, fmt.Errorf("error for stage %d: %w", i, err)
		}
		s := StageConfig{Duration: Some(d)}
		if target != "" {
			n, err := strconv.ParseInt(target, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("error for stage %d: %w", i, err)
			}
			s.Target = Some(n)
		}
		v = append(v, s)
	}
	return v, nil
}

func (d *DNS) fields() []field {
	return []field{
		checked("ttl", "", &d.TTL, checkTTL),
		checked("select", "", &d.Select, oneOf("DNSSelect", "first", "random", "roundRobin")),
		checked("policy", "", &d.Policy, oneOf("DNSPolicy", "preferIPv4", "preferIPv6", "onlyIPv4", "onlyIPv6", "any")),
	}
}

func (d *DNS) take(from DNS) {
	theirs := from.fields()
	for i, f := range d.fields() {
		f.take(theirs[i])
	}
}

func dns(key, env string, d *DNS) field {
	f := field{key: key, env: env, ref: d}
	f.in = func(path string, raw []byte) []error {
		_, errs := readObject(path, raw, d.fields())
		return errs
	}
	f.text = func(s string) error { return d.parse(s) }
	f.out = func() any { return writeObject(d.fields(), func(field) bool { return true }) }
	return f
}

// parse reads the form of flags and the environment: ttl=5m,select=random,policy=preferIPv4, each part optional.
func (d *DNS) parse(s string) error {
	var errs []error
	for _, part := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			errs = append(errs, fmt.Errorf("no value for key %s", part))
			continue
		}
		known := false
		for _, f := range d.fields() {
			if f.key == key {
				known = true
				text, _ := json.Marshal(value)
				errs = append(errs, f.in(key, text)...)
			}
		}
		if !known {
			errs = append(errs, fmt.Errorf("unknown DNS configuration field: %s", key))
		}
	}
	return errors.Join(errs...)
}

func tlsVersion(key string, v **TLSVersions) field {
	f := field{key: key, ref: v}
	f.in = func(path string, raw []byte) []error {
		if kindOf(raw) == "string" {
			var s Opt[string]
			errs := checked(key, "", &s, checkTLSVersion).in(path, raw)
			*v = &TLSVersions{Min: s.V, Max: s.V}
			return errs
		}
		var low, high Opt[string]
		unknown, errs := readObject(path, raw, []field{checked("min", "", &low, checkTLSVersion), checked("max", "", &high, checkTLSVersion)})
		*v = &TLSVersions{Min: low.V, Max: high.V}
		return append(errs, refuse(path, unknown, "min, max")...)
	}
	f.out = func() any {
		return struct {
			Min string `json:"min"`
			Max string `json:"max"`
		}{(*v).Min, (*v).Max}
	}
	return f
}

func tlsAuth(key, env string, l *[]*TLSAuth) field {
	f := field{key: key, env: env, ref: l}
	f.in = func(path string, raw []byte) (errs []error) {
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return wrap(path, mismatch(raw, "a list of objects with cert, key, password and domains"))
		}
		v := make([]*TLSAuth, len(items))
		for i, item := range items {
			at := fmt.Sprintf("%s[%d]", path, i)
			var cert, private, password Opt[string]
			v[i] = &TLSAuth{}
			unknown, more := readObject(at, item, []field{
				str("cert", "", &cert), str("key", "", &private), str("password", "", &password),
				list("domains", "", &v[i].Domains, anyList),
			})
			v[i].Cert, v[i].Key, v[i].Password = cert.V, private.V, password.V
			errs = append(append(errs, more...), refuse(at, unknown, "cert, key, password, domains")...)
		}
		*l = v
		return errs
	}
	f.text = func(s string) error {
		if s == "" {
			return nil
		}
		return errors.Join(f.in("TLSAUTH", []byte(s))...)
	}
	f.out = func() any {
		type auth struct {
			Cert     string   `json:"cert"`
			Key      string   `json:"key"`
			Password *string  `json:"password"`
			Domains  []string `json:"domains"`
		}
		v := make([]auth, len(*l))
		for i, a := range *l {
			v[i] = auth{Cert: a.Cert, Key: a.Key, Domains: a.Domains}
			if a.Password != "" {
				v[i].Password = &a.Password
			}
		}
		return v
	}
	return f
}

func thresholds(key, env string, m *map[string][]threshold.Threshold) field {
	f := field{key: key, env: env, ref: m}
	f.in = func(path string, raw []byte) (errs []error) {
		metrics, err := object(raw)
		if err != nil {
			return wrap(path, err)
		}
		v := make(map[string][]threshold.Threshold, len(metrics))
		for _, metric := range metrics {
			at := path + "." + metric.key
			var items []json.RawMessage
			if json.Unmarshal(metric.raw, &items) != nil {
				errs = append(errs, wrap(at, mismatch(metric.raw, "a list of thresholds such as ['p(95)<200']"))...)
				continue
			}
			l := make([]threshold.Threshold, len(items))
			for i, item := range items {
				errs = append(errs, readThreshold(fmt.Sprintf("%s[%d]", at, i), item, &l[i])...)
			}
			v[metric.key] = l
		}
		*m = v
		return errs
	}
	f.text = func(s string) error {
		if s == "" {
			s = "{}"
		}
		return errors.Join(f.in("THRESHOLDS", []byte(s))...)
	}
	f.out = func() any {
		v := make(map[string][]any, len(*m))
		for metric, l := range *m {
			v[metric] = make([]any, len(l))
			for i, t := range l {
				v[metric][i] = writeThreshold(t)
			}
		}
		return v
	}
	return f
}

func readThreshold(path string, raw []byte, t *threshold.Threshold) []error {
	if json.Unmarshal(raw, &t.Source) == nil && kindOf(raw) == "string" {
		return nil
	}
	var source Opt[string]
	var abort Opt[bool]
	var delay Opt[time.Duration]
	_, errs := readObject(path, raw, []field{
		str("threshold", "", &source), boolean("abortOnFail", "", &abort), duration("delayAbortEval", "", &delay),
	})
	*t = threshold.Threshold{Source: source.V, AbortOnFail: abort.V, DelayAbortEval: delay.V}
	return errs
}

func writeThreshold(t threshold.Threshold) any {
	if !t.AbortOnFail { // a delay means nothing then
		return t.Source
	}
	long := struct {
		Threshold      string  `json:"threshold"`
		AbortOnFail    bool    `json:"abortOnFail"`
		DelayAbortEval *string `json:"delayAbortEval"`
	}{t.Source, true, nil}
	if t.DelayAbortEval != 0 {
		text := FormatDuration(t.DelayAbortEval)
		long.DelayAbortEval = &text
	}
	return long
}

func blacklist(key, env string, l *[]netip.Prefix) field {
	var texts []string
	f := list(key, env, &texts, func(s []string) ([]string, error) {
		v, err := parsePrefixes(s)
		if err == nil {
			*l = v
		}
		return s, err
	})
	f.ref = l
	f.out = func() any { return *l }
	return f
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	v := make([]netip.Prefix, 0, len(texts))
	for _, s := range texts {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("failed to parse CIDR '%s': invalid CIDR address: %s", s, s)
		}
		v = append(v, p.Masked())
	}
	return v, nil
}

func hosts(key, env string, m *map[string]string) field {
	f := words(key, m)
	f.env = env
	read := f.in
	f.in = func(path string, raw []byte) []error {
		if errs := read(path, raw); errs != nil {
			return errs
		}
		v, err := checkHosts(*m)
		*m = v
		return wrap(path, err)
	}
	f.text = func(s string) error {
		if s == "" {
			return nil
		}
		return errors.Join(f.in("HOSTS", []byte(s))...)
	}
	return f
}

func runTags(key, env string, m *map[string]string) field {
	f := words(key, m)
	f.env = env
	f.text = func(s string) error {
		if s == "" {
			return nil
		}
		v := map[string]string{}
		for _, pair := range strings.Split(s, ",") {
			k, value, ok := strings.Cut(pair, ":")
			if !ok || strings.Contains(value, ":") {
				return fmt.Errorf("invalid map item: %q, write name:value,name:value", pair)
			}
			v[k] = value
		}
		*m = v
		return nil
	}
	return f
}

func collectors(key string, m *map[string]json.RawMessage) field {
	f := field{key: key, ref: m}
	f.in = func(path string, raw []byte) []error {
		if json.Unmarshal(raw, m) != nil {
			return wrap(path, mismatch(raw, "an object"))
		}
		return nil
	}
	f.out = func() any { return *m }
	return f
}

package js

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/grafana/sobek"
	"github.com/grafana/sobek/parser"
)

// maxCallStack bounds the depth of calls at about what node allows (11,000); code that needs more never ends. It is no
// higher because unwinding through built-in functions takes time that grows with the square of the depth.
const maxCallStack = 10_000

// NewRuntime returns an empty runtime set up as k6's: Go names are seen in JavaScript spelling, and endless recursion
// ends with an error.
func NewRuntime() *sobek.Runtime {
	rt := sobek.New()
	rt.SetFieldNameMapper(Names{})
	rt.SetParserOptions(parser.WithDisableSourceMaps) // for eval and new Function: they must not read files
	rt.SetMaxCallStackSize(maxCallStack)
	return rt
}

// Names gives Go fields and methods their JavaScript names: a field is its `js` tag, or else its name in snake case; a
// method starts with a small letter. A tag of "-" hides a field.
type Names struct{}

// FieldName implements sobek.FieldNameMapper.
func (Names) FieldName(_ reflect.Type, f reflect.StructField) string {
	if tag, ok := f.Tag.Lookup("js"); ok {
		if tag == "-" {
			return ""
		}
		if name, _, _ := strings.Cut(tag, ","); name != "" {
			return name
		}
	}
	return snake(f.Name)
}

// MethodName implements sobek.FieldNameMapper.
func (Names) MethodName(_ reflect.Type, m reflect.Method) string {
	r, n := utf8.DecodeRuneInString(m.Name)
	return string(unicode.ToLower(r)) + m.Name[n:]
}

func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		// A word begins at a capital that follows a small letter, or that a small letter follows: HTTPCode is http_code.
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

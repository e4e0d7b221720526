package js

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"
	"github.com/grafana/sobek"
	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/file"
	"github.com/grafana/sobek/parser"
	"github.com/grafana/sobek/unistring"

	"throng/internal/fault"
)

// parsed is one source file as the engine's syntax tree. esm is false for a CommonJS file, whose tree is one expression:
// the function that takes module and exports.
type parsed struct {
	tree *ast.Program
	esm  bool
}

// parse reads src as JavaScript; when that fails and the name allows it, as TypeScript. Errors name the file, the line
// and the column, and are of kind fault.ScriptException.
func (p *Program) parse(src Source) (_ parsed, err error) {
	defer guard(&err)
	name, text := src.URL.String(), string(src.Data)
	loader := api.LoaderJS
	out, err := p.parseJS(name, text)
	if err != nil && p.mayBeTypeScript(src.URL) {
		loader = api.LoaderTS
		out, err = p.transpile(name, text, loader, false)
	}
	if err == nil && strings.Contains(text, "extends") && breaksFields(out.tree) {
		out, err = p.transpile(name, text, loader, true)
	}
	if err != nil {
		return parsed{}, fault.New(fault.ScriptException, err)
	}
	return out, nil
}

// transpile is parseJS of what esbuild makes of text, with positions in the original.
func (p *Program) transpile(name, text string, loader api.Loader, lowerFields bool) (parsed, error) {
	code, sourceMap, err := transform(name, text, loader, lowerFields)
	if err != nil {
		return parsed{}, err
	}
	out, err := p.parseJS(name, code, parser.WithDisableSourceMaps)
	if err != nil {
		return parsed{}, err
	}
	if consumer, err := sourcemap.Parse(name, sourceMap); err == nil {
		out.tree.File.SetSourceMap(consumer)
	}
	return out, nil
}

func (p *Program) mayBeTypeScript(u *url.URL) bool {
	switch path.Ext(u.Path) {
	case ".ts", ".mts", ".cts":
		return true
	default:
		return u.Path == p.opts.StdinPath
	}
}

func (p *Program) parseJS(name, text string, opts ...parser.Option) (parsed, error) {
	opts = append([]parser.Option{parser.WithSourceMapLoader(p.loadSourceMap)}, opts...)
	if _, bad := embeddedSourceMap(text); bad != nil {
		p.opts.Log.Warn("could not read the source map of " + name + ": " + bad.Error())
		opts = append(opts, parser.WithDisableSourceMaps)
	}
	tree, moduleErr := sobek.Parse(name, text, append(opts, parser.IsModule)...)
	if moduleErr == nil {
		if len(tree.ImportEntries)+len(tree.ExportEntries) > 0 || tree.HasTLA || strings.Contains(text, "import.meta") && usesMeta(tree) {
			splitExports(tree)
			return parsed{tree: tree, esm: true}, nil
		}
		return parsed{tree: wrapCommonJS(tree)}, nil
	}
	// What a module may not contain, the body of a CommonJS function may: a return, or a variable called await. The error
	// of the first attempt is the one to show when that is not the reason.
	tree, err := sobek.Parse(name, commonJSHead+text+commonJSTail, opts...)
	if err != nil {
		return parsed{}, moduleErr
	}
	return parsed{tree: tree}, nil
}

const (
	commonJSHead = "(function(module,exports){"
	commonJSTail = "\n})"
)

// loadSourceMap returns nil bytes when there is no such map: a stack trace without one is better than no test.
func (p *Program) loadSourceMap(at string) ([]byte, error) {
	u, err := url.Parse(at)
	if err == nil && p.sealed.Load() {
		err = errors.New("not read by the first init")
	}
	var data []byte
	if err == nil {
		data, err = p.loader.Load(u)
	}
	if err == nil {
		_, err = sourcemap.Parse(at, data)
	}
	if err != nil {
		p.opts.Log.Warn("Couldn't load source map", slog.String("url", at), slog.Any("error", err))
		return nil, nil
	}
	return data, nil
}

// embeddedSourceMap checks a map in a data URL beforehand: the engine would refuse the whole file for a broken one.
func embeddedSourceMap(text string) (found bool, err error) {
	text = strings.TrimRight(text, "\r\n")
	last := text[strings.LastIndexByte(text, '\n')+1:]
	data, ok := strings.CutPrefix(last, "//# sourceMappingURL=data:")
	if !ok {
		return false, nil
	}
	_, encoded, _ := strings.Cut(data, ",")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		_, err = sourcemap.Parse("", raw)
	}
	return true, err
}

// transform turns TypeScript into JavaScript of the newest kind, or with lowerFields JavaScript into one without class
// fields. It returns the map back to the original, too.
func transform(name, text string, loader api.Loader, lowerFields bool) (code string, sourceMap []byte, err error) {
	supported := map[string]bool{"decorators": false} // the engine lacks them
	if lowerFields {
		for _, feature := range []string{"class-field", "class-static-field", "class-private-field", "class-private-static-field"} {
			supported[feature] = false
		}
	}
	res := api.Transform(text, api.TransformOptions{
		Sourcefile: name, Loader: loader, Target: api.ESNext, Format: api.FormatDefault, Charset: api.CharsetUTF8,
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentExclude, LogLevel: api.LogLevelSilent,
		Supported: supported,
	})
	if len(res.Errors) > 0 {
		m := res.Errors[0]
		line, column := 1, 0
		if m.Location != nil {
			line, column = m.Location.Line, m.Location.Column // counted from 0, as k6 shows it
		}
		more := ""
		if n := len(res.Errors) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more errors)", n)
		}
		return "", nil, fmt.Errorf("%s: Line %d:%d %s%s", name, line, column, m.Text, more)
	}
	return string(res.Code), res.Map, nil
}

// wrapCommonJS makes tree the body of a function, without moving any position in the source.
func wrapCommonJS(tree *ast.Program) *ast.Program {
	return &ast.Program{File: tree.File, Body: []ast.Statement{&ast.ExpressionStatement{
		Expression: function([]unistring.String{"module", "exports"}, tree.Body, tree),
	}}}
}

// function is an expression of a function with the given body; var declarations are those of tree.
func function(params []unistring.String, body []ast.Statement, tree *ast.Program) *ast.FunctionLiteral {
	list := make([]*ast.Binding, len(params))
	for i, name := range params {
		list[i] = &ast.Binding{Target: &ast.Identifier{Name: name, Idx: 1}}
	}
	return &ast.FunctionLiteral{
		Function: 1, ParameterList: &ast.ParameterList{Opening: 1, Closing: 1, List: list},
		Body:            &ast.BlockStatement{LeftBrace: 1, List: body, RightBrace: file.Idx(len(tree.File.Source()) + 1)},
		DeclarationList: tree.DeclarationList,
		Source:          "function () { [file] }",
	}
}

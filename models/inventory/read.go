package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The bounds of a file. The largest deployment has a few hundred lines.
const (
	maxBytes    = MaxBytes
	maxLines    = 2_500
	maxDepth    = 12
	maxProblems = 100
)

// checkText judges the bytes before anything parses them: what a parser could be hurt with, and
// what an editor leaves behind.
func checkText(text []byte) Problems {
	if len(text) > maxBytes || bytes.Count(text, []byte("\n")) > maxLines {
		return Problems{{Line: 1, Column: 1, Rule: RuleSize}}
	}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return Problems{{Line: 1, Column: 1, Rule: RuleEncoding}}
	}
	var found Problems
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if p, bad := checkLine(line); bad {
			p.Line = number
			found = append(found, p)
		}
	}
	return found
}

func checkLine(line []byte) (Problem, bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	column, indent, depth := 0, true, 0
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		column++
		switch {
		case r == utf8.RuneError && size == 1:
			return Problem{Column: column, Rule: RuleEncoding}, true
		case r == '\r':
			return Problem{Column: column, Rule: RuleLineEnding}, true
		case r == '\t' && indent:
			return Problem{Column: column, Rule: RuleTab}, true
		case r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'):
			return Problem{Column: column, Rule: RuleControl}, true
		case r == '[' || r == '{' || indent && r == '-' || r == '?':
			depth++
		}
		if depth > maxDepth || indent && column > 8*maxDepth {
			return Problem{Column: column, Rule: RuleSyntax, Subject: "too deep"}, true
		}
		indent = indent && (r == ' ' || r == '-')
		line = line[size:]
	}
	return Problem{}, false
}

// parse answers the one mapping of the text.
func parse(text []byte) (root *ast.MappingNode, found Problems) {
	defer func() {
		if recover() != nil { // the library gives up on some texts in this way
			root, found = nil, Problems{{Line: 1, Column: 1, Rule: RuleSyntax, Subject: "it cannot be read"}}
		}
	}()
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, Problems{syntax(err)}
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if body != nil {
			return nil, Problems{at(d.Body, RuleOneDocument, "")}
		}
		body = d.Body
	}
	if body == nil {
		return nil, Problems{{Line: 1, Column: 1, Rule: RuleMissingKey, Subject: "inventory"}}
	}
	if found := indirections(body); len(found) > 0 {
		return nil, found
	}
	root, ok := mapping(body)
	if !ok {
		return nil, Problems{at(body, RuleKind, "inventory:")}
	}
	return root, nil
}

func syntax(err error) Problem {
	p := Problem{Line: 1, Column: 1, Rule: RuleSyntax, Subject: "it cannot be read"}
	var broken yaml.Error
	if errors.As(err, &broken) {
		p.Subject = broken.GetMessage()
		if t := broken.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}

// finder collects what lets one place of a text stand for another.
type finder struct{ found Problems }

// Visit implements ast.Visitor.
func (f *finder) Visit(n ast.Node) ast.Visitor {
	switch n.Type() { //nolint:exhaustive // all other kinds say what they are where they stand
	case ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType, ast.DirectiveType:
		f.found = append(f.found, at(n, RuleIndirection, ""))
		return nil
	}
	return f
}

func indirections(body ast.Node) Problems {
	var f finder
	ast.Walk(&f, body)
	return f.found
}

// mapping reads a node as a mapping; the library has a form of its own for those of one pair.
func mapping(n ast.Node) (*ast.MappingNode, bool) {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x, true
	case *ast.MappingValueNode:
		return ast.Mapping(x.Start, false, x), true
	}
	return nil, false
}

// scalar reads a node as text. Only what YAML takes for a string or a plain number is one.
func scalar(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func blank(n ast.Node) bool {
	_, null := n.(*ast.NullNode)
	return n == nil || null
}

func at(n ast.Node, rule Rule, subject string) Problem {
	return atToken(n.GetToken(), rule, subject)
}

func atToken(t *token.Token, rule Rule, subject string) Problem {
	p := Problem{Line: 1, Column: 1, Rule: rule, Subject: short(subject)}
	if t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	return p
}

// short keeps a sentence readable whatever the file holds.
func short(s string) string {
	if utf8.RuneCountInString(s) > 64 {
		return fmt.Sprintf("%.64s…", s)
	}
	return s
}

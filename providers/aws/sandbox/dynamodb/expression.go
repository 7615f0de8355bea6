package dynamodb

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// terms are what the names and values of an expression stand for.
type terms struct {
	names  map[string]string
	values map[string]any
}

var tokenForm = regexp.MustCompile(`\s*(<>|<=|>=|[=<>(),+]|-|[#:]?[A-Za-z_][A-Za-z0-9_]*(?:\.[#]?[A-Za-z_][A-Za-z0-9_]*)*|:[A-Za-z0-9_]+|#[A-Za-z0-9_]+)`)

// parser reads one expression about one item.
type parser struct {
	terms
	tokens []string
	item   item
	err    error
}

func (t terms) parse(text string, about item) *parser {
	p := &parser{terms: t, item: about}
	for rest := text; strings.TrimSpace(rest) != ""; {
		at := tokenForm.FindStringSubmatchIndex(rest)
		if at == nil || at[0] != 0 {
			p.fail(rest)
			break
		}
		p.tokens = append(p.tokens, rest[at[2]:at[3]])
		rest = rest[at[1]:]
	}
	return p
}

func (p *parser) fail(token string) {
	if p.err == nil {
		p.err = invalid("Invalid expression: Syntax error; token: %q", strings.TrimSpace(token))
	}
	p.tokens = nil
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	token := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return token
}

// take consumes a word or a sign, if it is next.
func (p *parser) take(want string) bool {
	if strings.EqualFold(p.peek(), want) {
		p.next()
		return true
	}
	return false
}

func (p *parser) want(sign string) {
	if !p.take(sign) {
		p.fail(p.peek())
	}
}

// condition judges an expression about an item, nil for one that is not there.
func (t terms) condition(text string, about item) (bool, error) {
	p := t.parse(text, about)
	holds := p.or()
	if len(p.tokens) > 0 {
		p.fail(p.peek())
	}
	return holds, p.err
}

func (p *parser) or() bool {
	holds := p.and()
	for p.take("OR") {
		other := p.and()
		holds = holds || other
	}
	return holds
}

func (p *parser) and() bool {
	holds := p.not()
	for p.take("AND") {
		other := p.not()
		holds = holds && other
	}
	return holds
}

func (p *parser) not() bool {
	if p.take("NOT") {
		return !p.not()
	}
	if p.take("(") {
		holds := p.or()
		p.want(")")
		return holds
	}
	switch strings.ToLower(p.peek()) {
	case "attribute_exists", "attribute_not_exists", "begins_with", "contains", "attribute_type":
		return p.function(strings.ToLower(p.next()))
	}
	return p.comparison()
}

func (p *parser) function(name string) bool {
	p.want("(")
	left := p.operand()
	var right any
	if p.take(",") {
		right = p.operand()
	}
	p.want(")")
	switch name {
	case "attribute_exists":
		return left != nil
	case "attribute_not_exists":
		return left == nil
	case "begins_with":
		return strings.HasPrefix(text(left), text(right)) && text(right) != ""
	case "attribute_type":
		v, _ := left.(map[string]any)
		return v[text(right)] != nil
	}
	return holdsElement(left, right)
}

func holdsElement(left, right any) bool {
	v, _ := left.(map[string]any)
	for _, list := range []string{"SS", "NS", "L"} {
		items, _ := v[list].([]any)
		for _, i := range items {
			if i == text(right) || reflect.DeepEqual(i, right) {
				return true
			}
		}
	}
	return text(right) != "" && strings.Contains(text(left), text(right))
}

func text(v any) string {
	m, _ := v.(map[string]any)
	for _, kind := range []string{"S", "N", "B"} {
		if s, ok := m[kind].(string); ok {
			return s
		}
	}
	return ""
}

func (p *parser) comparison() bool {
	left := p.operand()
	switch operator := p.next(); strings.ToUpper(operator) {
	case "=":
		return equal(left, p.operand())
	case "<>":
		return !equal(left, p.operand())
	case "<", "<=", ">", ">=":
		right := p.operand()
		c := compare(left, right)
		return left != nil && (c < 0 && operator[0] == '<' || c > 0 && operator[0] == '>' || c == 0 && len(operator) == 2)
	case "BETWEEN":
		low := p.operand()
		p.want("AND")
		high := p.operand()
		return left != nil && compare(left, low) >= 0 && compare(left, high) <= 0
	case "IN":
		p.want("(")
		found := equal(left, p.operand())
		for p.take(",") {
			found = equal(left, p.operand()) || found
		}
		p.want(")")
		return found
	default:
		p.fail(operator)
	}
	return false
}

func equal(a, b any) bool {
	left, _ := a.(map[string]any)
	right, _ := b.(map[string]any)
	if x, y, ok := numbers(left, right); ok {
		return x == y
	}
	return a != nil && reflect.DeepEqual(a, b)
}

func numbers(a, b map[string]any) (x, y float64, ok bool) {
	left, isLeft := a["N"].(string)
	right, isRight := b["N"].(string)
	if !isLeft || !isRight {
		return 0, 0, false
	}
	x, err1 := strconv.ParseFloat(left, 64)
	y, err2 := strconv.ParseFloat(right, 64)
	return x, y, err1 == nil && err2 == nil
}

// operand is a value, size(path), or what stands at a path; nil for nothing.
func (p *parser) operand() any {
	token := p.next()
	switch {
	case token == "":
		p.fail("<EOF>")
		return nil
	case token[0] == ':':
		v, known := p.values[token]
		if !known && p.err == nil {
			p.err = invalid("Invalid expression: An expression attribute value used in expression is not defined; attribute value: %s", token)
		}
		return v
	case strings.EqualFold(token, "size") && p.take("("):
		v := p.operand()
		p.want(")")
		return map[string]any{"N": strconv.Itoa(len(text(v)))}
	}
	return at(p.item, p.path(token))
}

// path is a token's steps, with names in place of their placeholders.
func (p *parser) path(token string) []string {
	steps := strings.Split(token, ".")
	for i, step := range steps {
		if !strings.HasPrefix(step, "#") {
			continue
		}
		name, known := p.names[step]
		if !known && p.err == nil {
			p.err = invalid("Invalid expression: An expression attribute name used in the document path is not defined; attribute name: %s", step)
		}
		steps[i] = name
	}
	return steps
}

func at(about item, steps []string) any {
	var v any = about[steps[0]]
	for _, step := range steps[1:] {
		m, _ := v.(map[string]any)
		inner, _ := m["M"].(map[string]any)
		v = inner[step]
	}
	return v
}

// project keeps the attributes an expression names; "" keeps all.
func (t terms) project(text string, about item) item {
	if text == "" {
		return about
	}
	out := item{}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if real, ok := t.names[name]; ok {
			name = real
		}
		name, _, _ = strings.Cut(name, ".")
		if v, ok := about[name]; ok {
			out[name] = v
		}
	}
	return out
}

var clauses = []string{"SET", "REMOVE", "ADD", "DELETE"}

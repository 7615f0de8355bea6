package dynamodb

import (
	"slices"
	"strconv"
	"strings"
)

// update applies an update expression to an item; operands are what was before.
func (t terms) update(text string, before, after item) error {
	p := t.parse(text, before)
	for len(p.tokens) > 0 && p.err == nil {
		clause := strings.ToUpper(p.next())
		if !slices.Contains(clauses, clause) {
			p.fail(clause)
			break
		}
		for {
			p.action(clause, after)
			if !p.take(",") {
				break
			}
		}
	}
	return p.err
}

func (p *parser) action(clause string, after item) {
	steps := p.path(p.next())
	switch clause {
	case "SET":
		p.want("=")
		p.put(after, steps, p.sum())
	case "REMOVE":
		p.put(after, steps, nil)
	case "ADD":
		p.put(after, steps, plus(at(after, steps), p.operand(), 1))
	case "DELETE":
		p.put(after, steps, without(at(after, steps), p.operand()))
	}
}

// sum is an operand, or two of them added or subtracted.
func (p *parser) sum() any {
	left := p.assigned()
	switch {
	case p.take("+"):
		return plus(left, p.assigned(), 1)
	case p.take("-"):
		return plus(left, p.assigned(), -1)
	}
	return left
}

func (p *parser) assigned() any {
	switch name := strings.ToLower(p.peek()); name {
	case "if_not_exists", "list_append":
		p.next()
		p.want("(")
		first := p.operand()
		p.want(",")
		second := p.assigned()
		p.want(")")
		if name == "list_append" {
			return map[string]any{"L": append(slices.Clone(elements(first, "L")), elements(second, "L")...)}
		}
		if first != nil {
			return first
		}
		return second
	}
	return p.operand()
}

func elements(v any, kind string) []any {
	m, _ := v.(map[string]any)
	list, _ := m[kind].([]any)
	return list
}

// plus adds numbers, or elements to a set.
func plus(a, b any, sign float64) any {
	left, _ := a.(map[string]any)
	right, _ := b.(map[string]any)
	if left == nil {
		left = map[string]any{"N": "0"}
	}
	if x, y, ok := numbers(left, right); ok {
		return map[string]any{"N": strconv.FormatFloat(x+sign*y, 'f', -1, 64)}
	}
	for _, kind := range []string{"SS", "NS", "BS"} {
		if added := elements(b, kind); added != nil {
			out := slices.Clone(elements(a, kind))
			for _, e := range added {
				if !slices.Contains(out, e) {
					out = append(out, e)
				}
			}
			return map[string]any{kind: out}
		}
	}
	return b
}

func without(a, b any) any {
	for _, kind := range []string{"SS", "NS", "BS"} {
		if taken := elements(b, kind); taken != nil {
			left := slices.DeleteFunc(slices.Clone(elements(a, kind)), func(e any) bool { return slices.Contains(taken, e) })
			if len(left) == 0 {
				return nil
			}
			return map[string]any{kind: left}
		}
	}
	return a
}

// put writes at a path, through maps that exist; nil takes away. What is
// written is copied, so that the item before stays as it was.
func (p *parser) put(into item, steps []string, v any) {
	top := steps[0]
	if len(steps) > 1 {
		m, _ := into[top].(map[string]any)
		inner, isMap := m["M"].(map[string]any)
		if !isMap {
			if p.err == nil {
				p.err = invalid("The document path provided in the update expression is invalid for update")
			}
			return
		}
		copied := item(clone(inner))
		p.put(copied, steps[1:], v)
		v = map[string]any{"M": map[string]any(copied)}
	}
	if v == nil {
		delete(into, top)
		return
	}
	into[top] = v
}

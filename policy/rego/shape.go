package rego

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// object reads the members of an object, all of which must be known and of
// their type; those required must be there.
func object(v ast.Value, members map[string]func(ast.Value) error, required ...string) error {
	o, ok := v.(ast.Object)
	if !ok {
		return fmt.Errorf("want an object, have %s", ast.ValueName(v))
	}
	var errs []error
	for _, name := range required {
		if o.Get(ast.StringTerm(name)) == nil {
			errs = append(errs, fmt.Errorf("%s is missing", name))
		}
	}
	o.Foreach(func(k, item *ast.Term) {
		name, _ := k.Value.(ast.String)
		read := members[string(name)]
		if read == nil {
			errs = append(errs, fmt.Errorf("unknown member %v%s", k, meant(string(name), sortedKeys(members))))
			return
		}
		if err := read(item.Value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	})
	return errors.Join(errs...)
}

func into(to *string) func(ast.Value) error {
	return func(v ast.Value) (err error) {
		*to, err = text(v)
		return err
	}
}

func text(v ast.Value) (string, error) {
	s, ok := v.(ast.String)
	if !ok {
		return "", fmt.Errorf("want a string, have %s", ast.ValueName(v))
	}
	return string(s), legible(string(s))
}

func whole(to *int64) func(ast.Value) error {
	return func(v ast.Value) error {
		n, ok := v.(ast.Number)
		if !ok {
			return fmt.Errorf("want a number, have %s", ast.ValueName(v))
		}
		i, ok := n.Int64()
		if !ok || i < 0 {
			return fmt.Errorf("want a whole number of nanoseconds, have %v", n)
		}
		*to = i
		return nil
	}
}

func boolean(v ast.Value) (bool, error) {
	b, ok := v.(ast.Boolean)
	if !ok {
		return false, fmt.Errorf("want true or false, have %s", ast.ValueName(v))
	}
	return bool(b), nil
}

// weight is an upper cap in percent, rounded down.
func weight(v ast.Value) (int, error) {
	n, ok := v.(ast.Number)
	if !ok {
		return 0, fmt.Errorf("want a number, have %s", ast.ValueName(v))
	}
	percent, ok := n.Float64()
	if !ok || percent < 1 || percent > 100 {
		return 0, fmt.Errorf("want 1 to 100 percent, have %v", n)
	}
	return int(percent), nil
}

// measure adds the size of v to size, giving up once over limit.
func measure(v ast.Value, size, limit int) int {
	if size += 2; size > limit {
		return size
	}
	switch v := v.(type) {
	case ast.String:
		size += len(v)
	case ast.Number:
		size += len(v)
	case ast.Set:
		v.Until(func(t *ast.Term) bool {
			size = measure(t.Value, size, limit)
			return size > limit
		})
	case *ast.Array:
		v.Until(func(t *ast.Term) bool {
			size = measure(t.Value, size, limit)
			return size > limit
		})
	case ast.Object:
		v.Until(func(k, t *ast.Term) bool {
			size = measure(t.Value, measure(k.Value, size, limit), limit)
			return size > limit
		})
	}
	return size
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

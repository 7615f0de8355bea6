package dynamodb

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// item is an item: attribute values, as the wire has them, by name.
type item map[string]any

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func same(a, b item) bool {
	return (a == nil) == (b == nil) && reflect.DeepEqual(map[string]any(a), map[string]any(b))
}

// plain is an item as a tree whose member names are its own.
func plain(i item) wire.Map { return wire.Map(maps.Clone(map[string]any(i))) }

type itemInput struct {
	TableName, IndexName, ReturnValues                            string
	Item, Key                                                     map[string]any
	ConditionExpression, UpdateExpression, KeyConditionExpression string
	FilterExpression, ProjectionExpression, Select                string
	ExpressionAttributeNames                                      map[string]string
	ExpressionAttributeValues                                     map[string]any
	Limit                                                         *int
	ScanIndexForward                                              *bool
	ExclusiveStartKey                                             map[string]any
}

func (in *itemInput) names() terms {
	return terms{names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues}
}

type itemOutput struct {
	Item, Attributes wire.Map
}

// keyOf is the part of an item that is its key.
func (t *table) keyOf(i item) item {
	out := item{}
	for _, e := range t.key {
		out[e.AttributeName] = i[e.AttributeName]
	}
	return out
}

// address is an item's key as text, which also sorts a table.
func (t *table) address(i map[string]any, whole bool) (string, error) {
	for _, e := range t.key {
		v, _ := i[e.AttributeName].(map[string]any)
		if v[t.attributes[e.AttributeName]] == nil {
			return "", invalid("One or more parameter values were invalid: Missing the key %s in the item, or type mismatch", e.AttributeName)
		}
	}
	if !whole && len(i) != len(t.key) {
		return "", invalid("The provided key element does not match the schema")
	}
	text, err := json.Marshal(t.keyOf(i))
	return string(text), err
}

// write replaces an item under a condition, and tells the stream.
func (s *Service) write(t *table, at string, in *itemInput, after item) (before item, err error) {
	before = t.items[at]
	if in.ConditionExpression != "" {
		holds, err := in.names().condition(in.ConditionExpression, before)
		if err != nil {
			return nil, err
		}
		if !holds {
			return nil, fail("ConditionalCheckFailedException", "The conditional request failed")
		}
	}
	if after == nil {
		delete(t.items, at)
	} else {
		t.items[at] = after
	}
	s.tell(t, before, after)
	return before, nil
}

// serving is a table that takes reads and writes of items.
func (s *Service) serving(name string) (*table, error) {
	t, err := s.find(name)
	if err != nil {
		return nil, fail("ResourceNotFoundException", "Requested resource not found")
	}
	if state := t.status(s.options.Now()); state == creating || state == deleting {
		return nil, fail("ResourceNotFoundException", "Requested resource not found")
	}
	return t, nil
}

func (s *Service) putItem(_ context.Context, _ *wire.Call, in *itemInput) (itemOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.serving(in.TableName)
	if err != nil {
		return itemOutput{}, err
	}
	at, err := t.address(in.Item, true)
	if err != nil {
		return itemOutput{}, err
	}
	before, err := s.write(t, at, in, item(in.Item))
	return old(in, before), err
}

func old(in *itemInput, before item) itemOutput {
	if in.ReturnValues == "ALL_OLD" && before != nil {
		return itemOutput{Attributes: plain(before)}
	}
	return itemOutput{}
}

func (s *Service) getItem(_ context.Context, _ *wire.Call, in *itemInput) (itemOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.serving(in.TableName)
	if err != nil {
		return itemOutput{}, err
	}
	at, err := t.address(in.Key, false)
	if err != nil || t.items[at] == nil {
		return itemOutput{}, err
	}
	return itemOutput{Item: plain(in.names().project(in.ProjectionExpression, t.items[at]))}, nil
}

func (s *Service) deleteItem(_ context.Context, _ *wire.Call, in *itemInput) (itemOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.serving(in.TableName)
	if err != nil {
		return itemOutput{}, err
	}
	at, err := t.address(in.Key, false)
	if err != nil {
		return itemOutput{}, err
	}
	before, err := s.write(t, at, in, nil)
	return old(in, before), err
}

func (s *Service) updateItem(_ context.Context, _ *wire.Call, in *itemInput) (itemOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.serving(in.TableName)
	if err != nil {
		return itemOutput{}, err
	}
	at, err := t.address(in.Key, false)
	if err != nil {
		return itemOutput{}, err
	}
	after := item(maps.Clone(map[string]any(t.items[at])))
	if after == nil {
		after = item(maps.Clone(in.Key))
	}
	if in.UpdateExpression != "" {
		if err := in.names().update(in.UpdateExpression, t.items[at], after); err != nil {
			return itemOutput{}, err
		}
	}
	for _, e := range t.key {
		if !reflect.DeepEqual(after[e.AttributeName], in.Key[e.AttributeName]) {
			return itemOutput{}, invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", e.AttributeName)
		}
	}
	before, err := s.write(t, at, in, after)
	if err != nil {
		return itemOutput{}, err
	}
	if in.ReturnValues == "ALL_NEW" {
		return itemOutput{Attributes: plain(after)}, nil
	}
	if in.ReturnValues == "UPDATED_NEW" {
		changed := item{}
		for name, v := range after {
			if !reflect.DeepEqual(v, before[name]) {
				changed[name] = v
			}
		}
		return itemOutput{Attributes: plain(changed)}, nil
	}
	return old(in, before), nil
}

type itemsOutput struct {
	Items               []wire.Map
	Count, ScannedCount int
	LastEvaluatedKey    wire.Map
}

func (s *Service) scan(_ context.Context, _ *wire.Call, in *itemInput) (itemsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.serving(in.TableName)
	if err != nil {
		return itemsOutput{}, err
	}
	rows := make([]item, 0, len(t.items))
	for _, at := range sortedKeys(t.items) {
		rows = append(rows, t.items[at])
	}
	return s.page(t, in, rows)
}

func (s *Service) query(_ context.Context, _ *wire.Call, in *itemInput) (itemsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.serving(in.TableName)
	if err != nil {
		return itemsOutput{}, err
	}
	key := t.key
	if in.IndexName != "" {
		i := t.global[in.IndexName]
		if i == nil {
			i = t.local[in.IndexName]
		}
		if i == nil {
			return itemsOutput{}, invalid("The table does not have the specified index: %s", in.IndexName)
		}
		key = i.key
	}
	if in.KeyConditionExpression == "" {
		return itemsOutput{}, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	var rows []item
	for _, at := range sortedKeys(t.items) {
		row := t.items[at]
		holds, err := in.names().condition(in.KeyConditionExpression, row)
		if err != nil {
			return itemsOutput{}, err
		}
		if holds && row[key.attribute("HASH")] != nil {
			rows = append(rows, row)
		}
	}
	sort := key.attribute("RANGE")
	slices.SortStableFunc(rows, func(a, b item) int { return compare(a[sort], b[sort]) })
	if in.ScanIndexForward != nil && !*in.ScanIndexForward {
		slices.Reverse(rows)
	}
	return s.page(t, in, rows)
}

// page cuts rows where the caller asked to go on, and filters what it read.
func (s *Service) page(t *table, in *itemInput, rows []item) (itemsOutput, error) {
	if in.ExclusiveStartKey != nil {
		for n, row := range rows {
			if same(t.keyOf(row), t.keyOf(in.ExclusiveStartKey)) {
				rows = rows[n+1:]
				break
			}
		}
	}
	out := itemsOutput{Items: []wire.Map{}}
	if in.Limit != nil && len(rows) > *in.Limit {
		rows = rows[:*in.Limit]
		if len(rows) > 0 {
			out.LastEvaluatedKey = plain(t.keyOf(rows[len(rows)-1]))
		}
	}
	out.ScannedCount = len(rows)
	for _, row := range rows {
		if in.FilterExpression != "" {
			holds, err := in.names().condition(in.FilterExpression, row)
			if err != nil {
				return itemsOutput{}, err
			}
			if !holds {
				continue
			}
		}
		out.Count++
		if in.Select != "COUNT" {
			out.Items = append(out.Items, plain(in.names().project(in.ProjectionExpression, row)))
		}
	}
	return out, nil
}

// compare orders two attribute values of one type; others are equal.
func compare(a, b any) int {
	left, _ := a.(map[string]any)
	right, _ := b.(map[string]any)
	if x, y, ok := numbers(left, right); ok {
		return cmp.Compare(x, y)
	}
	x, _ := left["S"].(string)
	y, _ := right["S"].(string)
	if x == "" && y == "" {
		x, _ = left["B"].(string)
		y, _ = right["B"].(string)
	}
	return strings.Compare(x, y)
}

package manifest

import (
	"maps"
	"slices"
)

func tableKind() *kind {
	return newKind[TableSpec](kind{
		name:       KindTable,
		summary:    "A DynamoDB table with its stream, backups and indexes. Never deleted unless its manifest says so.",
		nameRule:   rule{required: true, maxLen: 255, match: patterns["tableName"]},
		limit:      255,
		attributes: []string{"arn", "name", "streamArn"},
		stateful:   true,
		expand:     expandTable,
		example: `apiVersion: mooring.dev/v1
kind: Table
metadata: {name: orders}
spec:
  billingMode: PAY_PER_REQUEST
  attributeDefinitions: {id: S, customer: S}
  keySchema: {hash: id}
  globalSecondaryIndexes:
    byCustomer: {keySchema: {hash: customer, range: id}, projection: {projectionType: KEYS_ONLY}}
  streamSpecification: {streamViewType: NEW_AND_OLD_IMAGES}
  pointInTimeRecovery: {}
  deletionProtectionEnabled: true
---
apiVersion: mooring.dev/v1
kind: Table
metadata: {name: customers, physicalName: crm-customers}
spec:
  manage: false # somebody else's: it must be there, with this stream
  streamSpecification: {streamViewType: NEW_IMAGE}
`,
	})
}

func (t *TableSpec) check(d *decoder, n *node) {
	checkTags(d, n.get("tags"), t.Tags)
	for name, index := range t.GlobalSecondaryIndexes {
		checkProjection(d, n.get("globalSecondaryIndexes").get(name), index.Projection)
	}
	for name, index := range t.LocalSecondaryIndexes {
		checkProjection(d, n.get("localSecondaryIndexes").get(name), index.Projection)
	}
	if !t.Manage {
		checkBound(d, n, t.DeletionPolicy)
		return
	}
	if t.KeySchema == nil {
		d.fault(n.pos(), "keySchema is missing", "want keySchema: {hash: ATTRIBUTE}")
		return
	}
	t.checkKeys(d, n)
	t.checkThroughput(d, n)
}

// checkBound: what is not managed is not deleted.
func checkBound(d *decoder, n *node, policy string) {
	if policy == Delete {
		d.fault(n.get("deletionPolicy").pos(), "with manage: false nothing is deleted", "leave it out")
	}
}

func checkProjection(d *decoder, n *node, p Projection) {
	if (p.ProjectionType == "INCLUDE") != (len(p.NonKeyAttributes) > 0) {
		d.fault(n.pos(), "projectionType INCLUDE and nonKeyAttributes go together", "")
	}
}

// checkKeys holds keys against definitions: AWS wants exactly those defined
// that a key names.
func (t *TableSpec) checkKeys(d *decoder, n *node) {
	used := map[string]bool{}
	name := func(at *node, key KeySchema) {
		for _, attribute := range []string{key.Hash, key.Range} {
			if attribute == "" {
				continue
			}
			used[attribute] = true
			if t.AttributeDefinitions[attribute] == "" {
				d.fault(at.pos(), "attribute "+quote(attribute)+" of a key has no type", "want attributeDefinitions: {"+attribute+": S}")
			}
		}
	}
	name(n.get("keySchema"), *t.KeySchema)
	for _, index := range slices.Sorted(maps.Keys(t.GlobalSecondaryIndexes)) {
		name(n.get("globalSecondaryIndexes").get(index), t.GlobalSecondaryIndexes[index].KeySchema)
	}
	for _, index := range slices.Sorted(maps.Keys(t.LocalSecondaryIndexes)) {
		at, key := n.get("localSecondaryIndexes").get(index), t.LocalSecondaryIndexes[index].KeySchema
		name(at, key)
		if key.Hash != t.KeySchema.Hash || key.Range == "" {
			d.fault(at.pos(), "a local index has the table's hash key and a range key of its own", "")
		}
	}
	if defined := n.get("attributeDefinitions"); defined != nil {
		for _, e := range defined.entries {
			if !used[e.key] {
				d.fault(e.pos(), "attribute "+quote(e.key)+" is in no key", "leave it out: other attributes are not defined")
			}
		}
	}
}

func (t *TableSpec) checkThroughput(d *decoder, n *node) {
	provisioned := t.BillingMode != "PAY_PER_REQUEST"
	if provisioned && t.ProvisionedThroughput == nil {
		d.fault(n.pos(), "provisionedThroughput is missing", "or set billingMode: PAY_PER_REQUEST")
	}
	if !provisioned && t.ProvisionedThroughput != nil {
		d.fault(n.get("provisionedThroughput").pos(), "PAY_PER_REQUEST has no provisionedThroughput", "choose one")
	}
	for _, name := range slices.Sorted(maps.Keys(t.GlobalSecondaryIndexes)) {
		if given := t.GlobalSecondaryIndexes[name].ProvisionedThroughput != nil; given != provisioned {
			d.fault(n.get("globalSecondaryIndexes").get(name).pos(), "an index has provisionedThroughput when its table has", "")
		}
	}
}

func expandTable(x *expansion) {
	t := *x.written.(*TableSpec)
	if t.Manage {
		t.defaults()
	}
	x.top(&t, nil)
}

// defaults says what a table of ours is where its manifest is silent.
func (t *TableSpec) defaults() {
	if t.BillingMode == "" {
		t.BillingMode = "PROVISIONED"
	}
	if t.TableClass == "" {
		t.TableClass = "STANDARD"
	}
	if t.DeletionProtectionEnabled == nil {
		t.DeletionProtectionEnabled = new(bool)
	}
}

package template

import (
	"fmt"
	"strings"

	"mooring.dev/sources/manifest"
)

func (r *reader) table(id string, p map[string]any) {
	d := r.begin(id, manifest.KindTable)
	r.members(d, p, map[string]func(map[string]any, string){
		"BillingMode": nil, "TableClass": nil, "DeletionProtectionEnabled": truth,
	}, "TableName", "AttributeDefinitions", "KeySchema", "ProvisionedThroughput", "GlobalSecondaryIndexes", "LocalSecondaryIndexes",
		"StreamSpecification", "TimeToLiveSpecification", "PointInTimeRecoverySpecification", "SSESpecification", "Tags")
	attributes := map[string]any{}
	for _, x := range items(r.value(d, "AttributeDefinitions", p["AttributeDefinitions"])) {
		if a, ok := x.(map[string]any); ok {
			attributes[fmt.Sprint(a["AttributeName"])] = a["AttributeType"]
		}
	}
	d.Spec["attributeDefinitions"] = attributes
	d.Spec["keySchema"] = keySchema(r.value(d, "KeySchema", p["KeySchema"]))
	if t := throughput(r.value(d, "ProvisionedThroughput", p["ProvisionedThroughput"])); t != nil && d.Spec["billingMode"] != "PAY_PER_REQUEST" {
		d.Spec["provisionedThroughput"] = t
	}
	for _, key := range []string{"GlobalSecondaryIndexes", "LocalSecondaryIndexes"} {
		if indexes := r.indexes(d, key, p[key]); len(indexes) > 0 {
			d.Spec[small(key)] = indexes
		}
	}
	r.tableOptions(d, p)
}

func (r *reader) tableOptions(d *manifest.Draft, p map[string]any) {
	body := func(key string) map[string]any {
		out, _ := r.value(d, key, p[key]).(map[string]any)
		return out
	}
	if s := body("StreamSpecification"); s["StreamViewType"] != nil {
		d.Spec["streamSpecification"] = map[string]any{"streamViewType": s["StreamViewType"]}
	}
	if t := body("TimeToLiveSpecification"); fmt.Sprint(t["Enabled"]) == "true" {
		d.Spec["timeToLive"] = map[string]any{"attributeName": t["AttributeName"]}
	}
	if b := body("PointInTimeRecoverySpecification"); fmt.Sprint(b["PointInTimeRecoveryEnabled"]) == "true" {
		backups := map[string]any{"recoveryPeriodInDays": 35}
		if days := b["RecoveryPeriodInDays"]; days != nil {
			backups["recoveryPeriodInDays"] = days
			whole(backups, "recoveryPeriodInDays")
		}
		d.Spec["pointInTimeRecovery"] = backups
	}
	if s := body("SSESpecification"); fmt.Sprint(s["SSEEnabled"]) == "true" {
		d.Spec["sseSpecification"] = map[string]any{"kmsMasterKeyId": orEmpty(s["KMSMasterKeyId"])}
	}
}

func orEmpty(x any) any {
	if x == nil {
		return ""
	}
	return x
}

func keySchema(x any) map[string]any {
	out := map[string]any{}
	for _, item := range items(x) {
		if e, ok := item.(map[string]any); ok && e["KeyType"] != nil {
			out[strings.ToLower(fmt.Sprint(e["KeyType"]))] = e["AttributeName"]
		}
	}
	return out
}

func throughput(x any) map[string]any {
	t, ok := lowered(x).(map[string]any)
	if !ok {
		return nil
	}
	whole(t, "readCapacityUnits")
	whole(t, "writeCapacityUnits")
	return t
}

func (r *reader) indexes(d *manifest.Draft, key string, x any) map[string]any {
	out := map[string]any{}
	for _, item := range items(r.value(d, key, x)) {
		i, ok := item.(map[string]any)
		if !ok {
			continue
		}
		index := map[string]any{"keySchema": keySchema(i["KeySchema"]), "projection": lowered(i["Projection"])}
		if t := throughput(i["ProvisionedThroughput"]); t != nil && d.Spec["billingMode"] != "PAY_PER_REQUEST" {
			index["provisionedThroughput"] = t
		}
		out[fmt.Sprint(i["IndexName"])] = pruned(index)
	}
	return out
}

// simpleTable is a table of one key: "id", a string, unless it says otherwise.
func (r *reader) simpleTable(id string, p map[string]any) {
	d := r.begin(id, manifest.KindTable)
	name, kind := "id", "S"
	if key, ok := r.value(d, "PrimaryKey", p["PrimaryKey"]).(map[string]any); ok {
		name = fmt.Sprint(key["Name"])
		if t := fmt.Sprint(key["Type"]); t != "" {
			kind = t[:1] // String, Number, Binary
		}
	}
	d.Spec["attributeDefinitions"], d.Spec["keySchema"] = map[string]any{name: kind}, map[string]any{"hash": name}
	d.Spec["billingMode"] = "PAY_PER_REQUEST"
	if t := throughput(r.value(d, "ProvisionedThroughput", p["ProvisionedThroughput"])); t != nil {
		d.Spec["billingMode"], d.Spec["provisionedThroughput"] = "PROVISIONED", t
	}
	r.members(d, p, nil, "TableName", "PrimaryKey", "ProvisionedThroughput", "SSESpecification", "PointInTimeRecoverySpecification", "Tags")
	r.tableOptions(d, p)
}

func (r *reader) bucket(id string, p map[string]any) {
	d := r.begin(id, manifest.KindBucket)
	r.members(d, p, nil, "BucketName", "VersioningConfiguration", "PublicAccessBlockConfiguration", "NotificationConfiguration", "Tags")
	if v, ok := r.value(d, "VersioningConfiguration", p["VersioningConfiguration"]).(map[string]any); ok {
		d.Spec["versioning"] = v["Status"]
	}
	if v, ok := lowered(r.value(d, "PublicAccessBlockConfiguration", p["PublicAccessBlockConfiguration"])).(map[string]any); ok {
		for _, key := range []string{"blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets"} {
			if truth(v, key); v[key] == nil {
				v[key] = false
			}
		}
		d.Spec["publicAccessBlock"] = v
	}
	r.waiting = append(r.waiting, samEvents{id, d, nil})
}

// notifications makes triggers of a bucket's entries that call functions of
// the template.
func (r *reader) notifications(d *manifest.Draft, p map[string]any) {
	body, ok := r.value(d, "NotificationConfiguration", p["NotificationConfiguration"]).(map[string]any)
	if !ok {
		return
	}
	if bridge, ok := body["EventBridgeConfiguration"].(map[string]any); ok && fmt.Sprint(bridge["EventBridgeEnabled"]) != "false" {
		d.Spec["eventBridgeNotificationEnabled"] = true
	}
	for i, x := range items(body["LambdaConfigurations"]) {
		entry, ok := x.(map[string]any)
		if !ok {
			continue
		}
		address, _ := entry["Function"].(string)
		fn := r.functionAt(address)
		if fn == nil {
			d.Leave("NotificationConfiguration.LambdaConfigurations[%d]: the function it calls is not in the template", i)
			continue
		}
		r.bucketTrigger(fn, freeKey(r.triggers(fn), fmt.Sprint(d.Name, "-", i)), d, map[string]any{"Events": []any{entry["Event"]}, "Filter": entry["Filter"]})
	}
	for _, key := range []string{"QueueConfigurations", "TopicConfigurations"} {
		if body[key] != nil {
			d.Leave("NotificationConfiguration.%s: not managed; they stay as they are", key)
		}
	}
}

// bucketTrigger is an entry of a bucket's notifications.
func (r *reader) bucketTrigger(fn *manifest.Draft, key string, bucket *manifest.Draft, body map[string]any) {
	out := map[string]any{"bucket": bucket.Addresses["arn"], "events": items(body["Events"])}
	filter, _ := body["Filter"].(map[string]any)
	rules, _ := filter["S3Key"].(map[string]any)
	written := map[string]any{}
	for _, x := range items(rules["Rules"]) {
		if rule, ok := x.(map[string]any); ok {
			written[strings.ToLower(fmt.Sprint(rule["Name"]))] = rule["Value"]
		}
	}
	if len(written) > 0 {
		out["filter"] = written
	}
	r.triggers(fn)[key] = out
}

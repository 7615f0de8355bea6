package main

import "strings"

// tableRows are of tables.
func tableRows() []driftRow {
	const declared = `apiVersion: mooring.dev/v1
kind: Table
metadata: {name: NAME}
spec:
  billingMode: PAY_PER_REQUEST
  attributeDefinitions: {id: S}
  keySchema: {hash: id}
  streamSpecification: {streamViewType: NEW_IMAGE}
  pointInTimeRecovery: {}
  deletionProtectionEnabled: true
`
	read := func(h *python, n string) any {
		out, _ := h.do("dynamodb", "describe_table", with{"TableName": n})["Table"].(map[string]any)
		recovery, _ := h.do("dynamodb", "describe_continuous_backups", with{"TableName": n})["ContinuousBackupsDescription"].(map[string]any)
		point, _ := recovery["PointInTimeRecoveryDescription"].(map[string]any)
		return []any{out["StreamSpecification"], out["DeletionProtectionEnabled"], point["PointInTimeRecoveryStatus"], h.do("dynamodb", "describe_time_to_live", with{"TableName": n})}
	}
	return []driftRow{
		{number: "74", name: "table-stream", deed: "stream of a table switched off", declared: declared, look: read, hand: func(h *python, n string) {
			h.do("dynamodb", "update_table", with{"TableName": n, "StreamSpecification": with{"StreamEnabled": false}})
		}, want: []wanted{
			{"Table/NAME streamSpecification.streamEnabled changed", "true", "false", "high", holds, "UpdateTable", false},
			{"Table/NAME streamSpecification.streamViewType changed", `"NEW_IMAGE"`, `""`, "high", holds, "UpdateTable", false},
		}},
		{number: "75", name: "table-recovery", deed: "point-in-time recovery switched off", declared: declared, look: read, hand: func(h *python, n string) {
			h.do("dynamodb", "update_continuous_backups", with{"TableName": n, "PointInTimeRecoverySpecification": with{"PointInTimeRecoveryEnabled": false}})
		}, want: []wanted{
			{"Table/NAME pointInTimeRecovery.enabled changed", "true", "false", "high", reverts, "UpdateContinuousBackups", false},
			{"Table/NAME pointInTimeRecovery.recoveryPeriodInDays missing", "35", "", "high", reverts, "UpdateContinuousBackups", false},
		}, writes: []string{"UpdateContinuousBackups pointInTimeRecoverySpecification tableName"}},
		{number: "75", name: "table-protection", deed: "deletion protection switched off", declared: declared, look: read, hand: func(h *python, n string) {
			h.do("dynamodb", "update_table", with{"TableName": n, "DeletionProtectionEnabled": false})
		}, want: []wanted{
			{"Table/NAME deletionProtectionEnabled changed", "true", "false", "high", reverts, "UpdateTable", false},
		}, writes: []string{"UpdateTable deletionProtectionEnabled tableName"}},
		{number: "75", name: "table-expiry", deed: "expiry of items switched on", declared: declared, look: read, hand: func(h *python, n string) {
			h.do("dynamodb", "update_time_to_live", with{"TableName": n, "TimeToLiveSpecification": with{"Enabled": true, "AttributeName": "until"}})
		}, want: []wanted{
			{"Table/NAME timeToLive.attributeName changed", `""`, `"until"`, "high", holds, "UpdateTimeToLive", false},
			{"Table/NAME timeToLive.enabled changed", "false", "true", "high", holds, "UpdateTimeToLive", false},
		}},
		{number: "75", name: "table-gone", deed: "table deleted", declared: strings.Replace(declared, "deletionProtectionEnabled: true", "deletionProtectionEnabled: false", 1), hand: func(h *python, n string) {
			h.do("dynamodb", "delete_table", with{"TableName": n})
		}, want: []wanted{
			{"Table/NAME missing", "", "", "critical", holds, "DeleteTable", false},
		}},
	}
}

// bucketRows are of the document of a bucket's notifications, which every tool
// writes as a whole.
func bucketRows() []driftRow {
	declared := function("triggers: {uploads: {bucket: Bucket/NAME, events: ['s3:ObjectCreated:*'], filter: {prefix: in/}}}", "---\napiVersion: mooring.dev/v1\nkind: Bucket\nmetadata: {name: NAME}\nspec: {}\n")
	theirs := with{"Id": "theirs", "QueueArn": ownQueue, "Events": []string{"s3:ObjectRestore:*"}}
	read := func(h *python, n string) any {
		return h.do("s3", "get_bucket_notification_configuration", with{"Bucket": n})
	}
	// put writes the whole document, as others do: ours is in it as the hand
	// leaves it.
	put := func(change func(ours map[string]any) []any) func(*python, string) {
		return func(h *python, n string) {
			list, _ := h.do("s3", "get_bucket_notification_configuration", with{"Bucket": n})["LambdaFunctionConfigurations"].([]any)
			ours, _ := list[0].(map[string]any)
			h.do("s3", "put_bucket_notification_configuration", with{"Bucket": n, "NotificationConfiguration": with{"QueueConfigurations": []with{theirs}, "LambdaFunctionConfigurations": change(ours)}})
		}
	}
	return []driftRow{
		{number: "67", name: "bucket-overwritten", deed: "another tool's document put over ours", declared: declared, hand: put(func(map[string]any) []any { return []any{} }), want: []wanted{
			{"Notification/NAME.uploads missing", "", "", "high", reverts, "PutBucketNotification", false},
		}, writes: []string{"PutBucketNotificationConfiguration"}},
		{number: "67", name: "bucket-events", deed: "other events of a notification", declared: declared, hand: put(func(ours map[string]any) []any {
			ours["Events"] = []string{"s3:ObjectRemoved:*"}
			return []any{ours}
		}), want: []wanted{
			{"Notification/NAME.uploads events changed", `["s3:ObjectCreated:*"]`, `["s3:ObjectRemoved:*"]`, "medium", reverts, "PutBucketNotification", false},
		}, writes: []string{"PutBucketNotificationConfiguration"}},
		{number: "67", name: "bucket-theirs", deed: "another tool's notification added beside ours", declared: declared, look: read, hand: put(func(ours map[string]any) []any { return []any{ours} })},
		{number: "67", name: "bucket-extra", deed: "notification of the function added", declared: declared, look: read, hand: put(func(ours map[string]any) []any {
			return []any{ours, with{"Id": "spy", "LambdaFunctionArn": ours["LambdaFunctionArn"], "Events": []string{"s3:ObjectRemoved:*"}}}
		}), want: []wanted{
			{"Notification/NAME.spy extra", "", `{"bucket":"production-NAME","events":["s3:ObjectRemoved:*"],"filter.prefix":"","filter.suffix":"","functionArn":"arn:aws:lambda:eu-west-1:111111111111:function:production-NAME:live"}`, "medium", alerts, "PutBucketNotification", false},
		}},
	}
}

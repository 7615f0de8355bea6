package main

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
			{"Table/NAME streamSpecification.streamEnabled changed", "true", "false", "high", alerts, "UpdateTable", false},
			{"Table/NAME streamSpecification.streamViewType changed", `"NEW_IMAGE"`, `""`, "high", alerts, "UpdateTable", false},
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
			{"Table/NAME timeToLive.attributeName changed", `""`, `"until"`, "high", alerts, "UpdateTimeToLive", false},
			{"Table/NAME timeToLive.enabled changed", "false", "true", "high", alerts, "UpdateTimeToLive", false},
		}},
	}
}

package main

// settingRows are of what AWS keeps beside a function's versions.
func settingRows() []driftRow {
	kept := function("provisionedConcurrentExecutions: 2")
	managed := function("runtimeManagementConfig: {updateRuntimeOn: FunctionUpdate}")
	signing := func(h *python, n string) {
		out := h.do("lambda", "create_code_signing_config", with{"AllowedPublishers": with{"SigningProfileVersionArns": []string{"arn:aws:signer:eu-west-1:111111111111:/signing-profiles/shop/abcdefghij"}}, "Description": n})
		config, _ := out["CodeSigningConfig"].(map[string]any)
		h.made["SIGNING"], _ = config["CodeSigningConfigArn"].(string)
	}
	return []driftRow{
		{number: "30", name: "kept-ready", deed: "provisioned concurrency changed", declared: kept, hand: func(h *python, n string) {
			h.do("lambda", "put_provisioned_concurrency_config", with{"FunctionName": n, "Qualifier": "1", "ProvisionedConcurrentExecutions": 5})
		}, want: []wanted{
			{"ProvisionedConcurrency/NAME versions.1 changed", "2", "5", "medium", holds, "PutProvisionedConcurrencyConfig", false},
		}},
		{number: "30", name: "kept-ready-less", deed: "provisioned concurrency lowered", declared: kept, hand: func(h *python, n string) {
			h.do("lambda", "put_provisioned_concurrency_config", with{"FunctionName": n, "Qualifier": "1", "ProvisionedConcurrentExecutions": 1})
		}, want: []wanted{
			{"ProvisionedConcurrency/NAME versions.1 changed", "2", "1", "medium", holds, "PutProvisionedConcurrencyConfig", false},
		}},
		{number: "30", name: "kept-ready-gone", deed: "provisioned concurrency deleted", declared: kept, hand: func(h *python, n string) {
			h.do("lambda", "delete_provisioned_concurrency_config", with{"FunctionName": n, "Qualifier": "1"})
		}, want: []wanted{
			{"ProvisionedConcurrency/NAME missing", "", "", "medium", reverts, "DeleteProvisionedConcurrencyConfig", false},
		}, writes: []string{"PutProvisionedConcurrencyConfig provisionedConcurrentExecutions"}},
		{number: "51", name: "runtime-mode", deed: "runtime management mode", declared: managed, hand: func(h *python, n string) {
			h.do("lambda", "put_runtime_management_config", with{"FunctionName": n, "UpdateRuntimeOn": "Auto"})
		}, want: []wanted{
			{"RuntimeManagement/NAME latest missing", `{"updateRuntimeOn":"FunctionUpdate"}`, "", "medium", reverts, "PutRuntimeManagementConfig", false},
		}, writes: []string{"PutRuntimeManagementConfig updateRuntimeOn"}},
		{number: "51", name: "runtime-mode-extra", deed: "runtime management where none is declared", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "put_runtime_management_config", with{"FunctionName": n, "UpdateRuntimeOn": "FunctionUpdate"})
		}, want: []wanted{
			{"RuntimeManagement/NAME extra", "", `{"latest":{"updateRuntimeOn":"FunctionUpdate"}}`, "medium", reverts, "PutRuntimeManagementConfig", false},
		}, writes: []string{"PutRuntimeManagementConfig updateRuntimeOn"}},
		{number: "54", name: "recursion", deed: "recursive loops allowed", declared: function("recursiveLoop: Terminate"), hand: func(h *python, n string) {
			h.do("lambda", "put_function_recursion_config", with{"FunctionName": n, "RecursiveLoop": "Allow"})
		}, want: []wanted{
			{"Function/NAME recursiveLoop changed", `"Terminate"`, `"Allow"`, "high", reverts, "PutFunctionRecursionConfig", false},
		}, writes: []string{"PutFunctionRecursionConfig recursiveLoop"}},
		{number: "55", name: "signing", deed: "code signing detached", declared: function("codeSigningConfigArn: SIGNING"), before: signing, hand: func(h *python, n string) {
			h.do("lambda", "delete_function_code_signing_config", with{"FunctionName": n})
		}, want: []wanted{
			{"Function/NAME codeSigningConfigArn changed", `"SIGNING"`, `""`, "high", reverts, "DeleteFunctionCodeSigningConfig", false},
		}, writes: []string{"PutFunctionCodeSigningConfig codeSigningConfigArn"}},
	}
}

// logRows are of log groups.
func logRows() []driftRow {
	group := func(spec string) string {
		return "apiVersion: mooring.dev/v1\nkind: LogGroup\nmetadata: {name: NAME, physicalName: production-NAME}\nspec: {" + spec + "}\n"
	}
	read := func(h *python, n string) any {
		return []any{
			h.do("logs", "describe_log_groups", with{"logGroupNamePrefix": n}), h.do("logs", "describe_metric_filters", with{"logGroupName": n}),
		}
	}
	const denied = `retentionInDays: 30, metricFilters: {denied: {filterPattern: '{ $.outcome = "denied" }', metricNamespace: Shop, metricName: Denied}}`
	return []driftRow{
		{number: "77", name: "log-shorter", deed: "log retention lowered", declared: group("retentionInDays: 30"), look: read, hand: func(h *python, n string) {
			h.do("logs", "put_retention_policy", with{"logGroupName": n, "retentionInDays": 7})
		}, want: []wanted{
			{"LogGroup/NAME retentionInDays changed", "30", "7", "low", reverts, "PutRetentionPolicy", false},
		}, writes: []string{"PutRetentionPolicy retentionInDays"}},
		{number: "77", name: "log-forever", deed: "log retention taken away", declared: group("retentionInDays: 30"), look: read, hand: func(h *python, n string) {
			h.do("logs", "delete_retention_policy", with{"logGroupName": n})
		}, want: []wanted{
			{"LogGroup/NAME retentionInDays changed", "30", "0", "medium", holds, "DeleteRetentionPolicy", false},
		}},
		{number: "77", name: "log-gone", deed: "log group deleted", declared: group("retentionInDays: 30"), hand: func(h *python, n string) {
			h.do("logs", "delete_log_group", with{"logGroupName": n})
		}, want: []wanted{
			{"LogGroup/NAME missing", "", "", "medium", reverts, "DeleteLogGroup", false},
		}, writes: []string{"CreateLogGroup logGroupClass tags", "PutRetentionPolicy retentionInDays"}},
		{number: "78", name: "log-metric-gone", deed: "metric filter deleted", declared: group(denied), look: read, hand: func(h *python, n string) {
			h.do("logs", "delete_metric_filter", with{"logGroupName": n, "filterName": "denied"})
		}, want: []wanted{
			{"LogGroup/NAME metricFilters.denied missing", "{\"filterPattern\":\"{ $.outcome = \\\"denied\\\" }\",\"metricNamespace\":\"Shop\",\"metricName\":\"Denied\",\"metricValue\":\"1\",\"unit\":\"None\"}", "", "medium", reverts, "DeleteMetricFilter", false},
		}, writes: []string{"PutMetricFilter applyOnTransformedLogs creationTime filterPattern metricTransformations"}},
		{number: "78", name: "log-filter-extra", deed: "subscription filter added", declared: group("retentionInDays: 30"), look: read, hand: func(h *python, n string) {
			h.do("logs", "put_subscription_filter", with{"logGroupName": n, "filterName": "copy", "filterPattern": "", "destinationArn": "arn:aws:kinesis:eu-west-1:111111111111:stream/x", "roleArn": "arn:aws:iam::111111111111:role/other"})
		}, want: []wanted{
			{"LogGroup/NAME subscriptionFilters.copy extra", "", `{"filterPattern":"","destinationArn":"arn:aws:kinesis:eu-west-1:111111111111:stream/x","roleArn":"arn:aws:iam::111111111111:role/other","distribution":"ByLogStream"}`, "high", alerts, "PutSubscriptionFilter", false},
		}},
	}
}

// alarmRows are of alarms, which guard canaries.
func alarmRows() []driftRow {
	declared := "apiVersion: mooring.dev/v1\nkind: Alarm\nmetadata: {name: NAME}\nspec: {namespace: Shop, metricName: Failed, statistic: Sum, period: 60, evaluationPeriods: 1, threshold: 5, comparisonOperator: GreaterThanThreshold}\n"
	read := func(h *python, n string) any {
		return h.do("cloudwatch", "describe_alarms", with{"AlarmNames": []string{n}})
	}
	return []driftRow{
		{number: "79", name: "alarm-gone", deed: "alarm deleted", declared: declared, hand: func(h *python, n string) {
			h.do("cloudwatch", "delete_alarms", with{"AlarmNames": []string{n}})
		}, want: []wanted{
			{"Alarm/NAME missing", "", "", "high", reverts, "DeleteAlarms", false},
		}, writes: []string{"PutMetricAlarm actionsEnabled comparisonOperator datapointsToAlarm evaluationPeriods metricName namespace period statistic tags threshold treatMissingData"}},
		{number: "79", name: "alarm-silent", deed: "actions of an alarm disabled", declared: declared, look: read, hand: func(h *python, n string) {
			h.do("cloudwatch", "disable_alarm_actions", with{"AlarmNames": []string{n}})
		}, want: []wanted{
			{"Alarm/NAME actionsEnabled changed", "true", "false", "high", reverts, "DisableAlarmActions", false},
		}, writes: []string{"PutMetricAlarm actionsEnabled comparisonOperator datapointsToAlarm evaluationPeriods metricName namespace period statistic threshold treatMissingData"}},
		{number: "79", name: "alarm-dull", deed: "threshold of an alarm raised", declared: declared, look: read, hand: func(h *python, n string) {
			h.do("cloudwatch", "put_metric_alarm", with{"AlarmName": n, "Namespace": "Shop", "MetricName": "Failed", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 500, "ComparisonOperator": "GreaterThanThreshold"})
		}, want: []wanted{
			{"Alarm/NAME threshold changed", "5", "500", "medium", reverts, "PutMetricAlarm", false},
		}, writes: []string{"PutMetricAlarm actionsEnabled comparisonOperator datapointsToAlarm evaluationPeriods metricName namespace period statistic threshold treatMissingData"}},
	}
}

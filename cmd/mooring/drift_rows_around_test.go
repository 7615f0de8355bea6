package main

// aroundRows are of everything around a function: a row of its own each.
func aroundRows() []driftRow {
	return []driftRow{
		{number: "29", name: "reserved", deed: "reserved concurrency changed", declared: function("reservedConcurrentExecutions: 5"), hand: func(h *python, n string) {
			h.do("lambda", "put_function_concurrency", with{"FunctionName": n, "ReservedConcurrentExecutions": 2})
		}, want: []wanted{
			{"Concurrency/NAME reservedConcurrentExecutions changed", "5", "2", "medium", reverts, "PutFunctionConcurrency", false},
		}, writes: []string{"PutFunctionConcurrency reservedConcurrentExecutions"}},
		{number: "29", name: "kill-switch", deed: "reserved concurrency 0, the kill switch", declared: function("reservedConcurrentExecutions: 5"), hand: func(h *python, n string) {
			h.as("carol").do("lambda", "put_function_concurrency", with{"FunctionName": n, "ReservedConcurrentExecutions": 0})
		}, who: "user/carol", want: []wanted{
			{"Concurrency/NAME reservedConcurrentExecutions changed", "5", "0", "critical", holds, "PutFunctionConcurrency", false},
		}},
		{number: "29", name: "reserved-gone", deed: "reserved concurrency taken away", declared: function("reservedConcurrentExecutions: 5"), hand: func(h *python, n string) {
			h.do("lambda", "delete_function_concurrency", with{"FunctionName": n})
		}, want: []wanted{
			{"Concurrency/NAME missing", "", "", "medium", reverts, "DeleteFunctionConcurrency", false},
		}, writes: []string{"PutFunctionConcurrency reservedConcurrentExecutions"}},
		{number: "29", name: "reserved-extra", deed: "reserved concurrency where none is declared", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "put_function_concurrency", with{"FunctionName": n, "ReservedConcurrentExecutions": 3})
		}, want: []wanted{
			{"Concurrency/NAME extra", "", `{"reservedConcurrentExecutions":3}`, "critical", holds, "PutFunctionConcurrency", false},
		}},
		{number: "31", name: "repointed", deed: "alias repointed", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "update_function_configuration", with{"FunctionName": n, "Description": "rogue"})
			h.do("lambda", "publish_version", with{"FunctionName": n})
			h.do("lambda", "update_alias", with{"FunctionName": n, "Name": "live", "FunctionVersion": "2"})
		}, want: []wanted{
			{"Alias/NAME.live functionVersion changed", `"1"`, `"2"`, "high", holds, "UpdateAlias", false},
			{"Function/NAME description changed", `""`, `"rogue"`, "low", reverts, "UpdateFunctionConfiguration", false},
			{"Function/NAME versions.2 extra", "", `"published"`, "low", alerts, "PublishVersion", false},
		}, writes: []string{"UpdateFunctionConfiguration description"}},
		{number: "32", name: "weights", deed: "weights by hand", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "update_function_configuration", with{"FunctionName": n, "Description": "canary"})
			h.do("lambda", "publish_version", with{"FunctionName": n})
			h.do("lambda", "update_alias", with{"FunctionName": n, "Name": "live", "RoutingConfig": with{"AdditionalVersionWeights": with{"2": 0.25}}})
		}, want: []wanted{
			{"Alias/NAME.live routingConfig extra", "", `{"additionalVersionWeights":{"2":0.25}}`, "high", holds, "UpdateAlias", false},
			{"Function/NAME description changed", `""`, `"canary"`, "low", reverts, "UpdateFunctionConfiguration", false},
			{"Function/NAME versions.2 extra", "", `"published"`, "low", alerts, "PublishVersion", false},
		}, writes: []string{"UpdateFunctionConfiguration description"}},
		{number: "33", name: "alias-extra", deed: "alias added", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "create_alias", with{"FunctionName": n, "Name": "debug", "FunctionVersion": "1"})
		}, want: []wanted{
			{"Alias/NAME.debug extra", "", `{"description":"","functionVersion":"1"}`, "medium", alerts, "CreateAlias", false},
		}},
		{number: "33", name: "alias-gone", deed: "alias deleted", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "delete_alias", with{"FunctionName": n, "Name": "live"})
		}, want: []wanted{
			{"Alias/NAME.live missing", "", "", "high", reverts, "DeleteAlias", false},
		}, writes: []string{"CreateAlias description functionVersion"}},
		{number: "34", name: "published", deed: "version published by hand", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "update_function_configuration", with{"FunctionName": n, "Description": "rogue"})
			h.do("lambda", "publish_version", with{"FunctionName": n})
		}, want: []wanted{
			{"Function/NAME versions.2 extra", "", `"published"`, "low", alerts, "PublishVersion", false},
			{"Function/NAME description changed", `""`, `"rogue"`, "low", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration description"}},
		{number: "35", name: "version-refused", deed: "the version that serves deleted, which AWS refuses", declared: function(), hand: func(h *python, n string) {
			if _, code, text := h.try("lambda", "delete_function", with{"FunctionName": n, "Qualifier": "1"}); code == "" {
				h.t.Errorf("the version that serves was deleted: %s", text)
			}
		}},
		{number: "37", name: "stray", deed: "a function made that nobody declares", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "create_function", with{"FunctionName": n + "-x-stray", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": "arn:aws:iam::111111111111:role/drift", "Code": with{"ZipFile": h.zip("checkout-2")}})
		}},
		{number: "36", name: "deleted", deed: "function deleted", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "delete_function", with{"FunctionName": n})
		}, want: []wanted{
			{what: "Alias/NAME.live missing", severity: "high", response: reverts, waits: true}, // for its function
			{"Function/NAME missing", "", "", "critical", holds, "DeleteFunction", false},
		}},
		{number: "45", name: "permission-open", deed: "permission for everybody added", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "add_permission", with{"FunctionName": n, "Qualifier": "live", "StatementId": "everybody", "Action": "lambda:InvokeFunction", "Principal": "*"})
		}, want: []wanted{
			{"Permission/NAME.everybody extra", "", `{"action":"lambda:InvokeFunction","eventSourceToken":"","functionUrlAuthType":"","invokedViaFunctionUrl":false,"principal":"*","principalOrgID":"","sourceAccount":"","sourceArn":""}`, "critical", reverts, "AddPermission", false},
		}, writes: []string{"RemovePermission"}},
		{number: "45", name: "permission-named", deed: "permission for a service added", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "add_permission", with{"FunctionName": n, "StatementId": "bucket", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
				"SourceArn": "arn:aws:s3:::b", "SourceAccount": "111111111111"})
		}, want: []wanted{
			{"Permission/NAME.bucket@$LATEST extra", "", `{"action":"lambda:InvokeFunction","eventSourceToken":"","functionUrlAuthType":"","invokedViaFunctionUrl":false,"principal":"s3.amazonaws.com","principalOrgID":"","sourceAccount":"111111111111","sourceArn":"arn:aws:s3:::b"}`, "medium", holds, "AddPermission", false},
		}},
		{number: "46", name: "permission-gone", deed: "permission removed", declared: function("permissions: {shop-api: {principal: apigateway.amazonaws.com, sourceAccount: '111111111111'}}"), hand: func(h *python, n string) {
			h.do("lambda", "remove_permission", with{"FunctionName": n, "Qualifier": "live", "StatementId": "shop-api"})
		}, want: []wanted{
			{"Permission/NAME.shop-api missing", "", "", "high", reverts, "RemovePermission", false},
		}, writes: []string{"AddPermission action principal sourceAccount"}},
		{number: "47", name: "url-open", deed: "public function URL made", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "create_function_url_config", with{"FunctionName": n, "AuthType": "NONE"})
		}, want: []wanted{
			{"Url/NAME@$LATEST extra", "", `{"authType":"NONE","cors.allowCredentials":false,"cors.allowHeaders":[],"cors.allowMethods":[],"cors.allowOrigins":[],"cors.exposeHeaders":[],"cors.maxAge":0,"invokeMode":"BUFFERED"}`, "critical", reverts, "CreateFunctionUrlConfig", false},
		}, writes: []string{"DeleteFunctionUrlConfig"}},
		{number: "47", name: "url-signed", deed: "function URL with IAM made", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "create_function_url_config", with{"FunctionName": n, "Qualifier": "live", "AuthType": "AWS_IAM"})
		}, want: []wanted{
			{"Url/NAME extra", "", `{"authType":"AWS_IAM","cors.allowCredentials":false,"cors.allowHeaders":[],"cors.allowMethods":[],"cors.allowOrigins":[],"cors.exposeHeaders":[],"cors.maxAge":0,"invokeMode":"BUFFERED"}`, "medium", holds, "CreateFunctionUrlConfig", false},
		}},
		{number: "48", name: "url-auth", deed: "URL made public", declared: function("triggers: {web: {url: {authType: AWS_IAM}}}"), hand: func(h *python, n string) {
			h.do("lambda", "update_function_url_config", with{"FunctionName": n, "Qualifier": "live", "AuthType": "NONE"})
		}, want: []wanted{
			{"Url/NAME authType changed", `"AWS_IAM"`, `"NONE"`, "critical", reverts, "UpdateFunctionUrlConfig", false},
		}, writes: []string{"UpdateFunctionUrlConfig authType"}},
		{number: "48", name: "url-cors", deed: "URL's CORS and mode", declared: function("triggers: {web: {url: {authType: AWS_IAM, cors: {allowOrigins: ['https://shop.example']}}}}"), hand: func(h *python, n string) {
			h.do("lambda", "update_function_url_config", with{"FunctionName": n, "Qualifier": "live", "InvokeMode": "RESPONSE_STREAM", "Cors": with{"AllowOrigins": []string{"*"}}})
		}, want: []wanted{
			{"Url/NAME cors.allowOrigins changed", `["https://shop.example"]`, `["*"]`, "medium", reverts, "UpdateFunctionUrlConfig", false},
			{"Url/NAME invokeMode changed", `"BUFFERED"`, `"RESPONSE_STREAM"`, "medium", reverts, "UpdateFunctionUrlConfig", false},
		}, writes: []string{"UpdateFunctionUrlConfig cors invokeMode"}},
		{number: "48", name: "url-gone", deed: "URL deleted", declared: function("triggers: {web: {url: {authType: AWS_IAM}}}"), hand: func(h *python, n string) {
			h.do("lambda", "delete_function_url_config", with{"FunctionName": n, "Qualifier": "live"})
		}, want: []wanted{
			{"Url/NAME missing", "", "", "high", reverts, "DeleteFunctionUrlConfig", false},
		}, writes: []string{"CreateFunctionUrlConfig authType cors invokeMode"}},
		{number: "49", name: "async", deed: "asynchronous retries and age", declared: function("asyncInvoke: {maximumRetryAttempts: 1}"), hand: func(h *python, n string) {
			h.do("lambda", "put_function_event_invoke_config", with{"FunctionName": n, "Qualifier": "live", "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})
		}, want: []wanted{
			{"Async/NAME maximumEventAgeInSeconds changed", "21600", "60", "medium", reverts, "PutFunctionEventInvokeConfig", false},
			{"Async/NAME maximumRetryAttempts changed", "1", "0", "medium", reverts, "PutFunctionEventInvokeConfig", false},
		}, writes: []string{"PutFunctionEventInvokeConfig maximumEventAgeInSeconds maximumRetryAttempts"}},
		{number: "49", name: "async-gone", deed: "asynchronous settings deleted", declared: function("asyncInvoke: {maximumRetryAttempts: 1}"), hand: func(h *python, n string) {
			h.do("lambda", "delete_function_event_invoke_config", with{"FunctionName": n, "Qualifier": "live"})
		}, want: []wanted{
			{"Async/NAME missing", "", "", "medium", reverts, "DeleteFunctionEventInvokeConfig", false},
		}, writes: []string{"PutFunctionEventInvokeConfig maximumEventAgeInSeconds maximumRetryAttempts"}},
		{number: "49", name: "async-extra", deed: "asynchronous settings where none are declared", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "put_function_event_invoke_config", with{"FunctionName": n, "Qualifier": "live", "MaximumRetryAttempts": 0})
		}, want: []wanted{
			{"Async/NAME extra", "", `{"destinationConfig.onFailure.destination":"","destinationConfig.onSuccess.destination":"","maximumEventAgeInSeconds":21600,"maximumRetryAttempts":0}`, "medium", reverts, "PutFunctionEventInvokeConfig", false},
		}, writes: []string{"DeleteFunctionEventInvokeConfig"}},
		{number: "50", name: "tag-owned", deed: "declared tag changed", declared: function("tags: {team: shop}"), hand: func(h *python, n string) {
			h.do("lambda", "tag_resource", with{"Resource": "arn:aws:lambda:eu-west-1:111111111111:function:" + n, "Tags": with{"team": "other"}})
		}, want: []wanted{
			{"Function/NAME tags.team changed", `"shop"`, `"other"`, "low", reverts, "TagResource", false},
		}, writes: []string{"TagResource tags"}},
		{number: "50", name: "tag-foreign", deed: "somebody's own tag added", declared: function("tags: {team: shop}"), hand: func(h *python, n string) {
			h.do("lambda", "tag_resource", with{"Resource": "arn:aws:lambda:eu-west-1:111111111111:function:" + n, "Tags": with{"cost-center": "7"}})
		}},
	}
}

func triggerRows() []driftRow {
	mapped := func(fields string) string {
		return function("triggers: {orders: {queue: Queue/NAME-x-q"+fields+"}}", queue("NAME-x-q"))
	}
	streamed := function("triggers: {changes: {table: Table/NAME-x-t, startingPosition: LATEST}}", "---\napiVersion: mooring.dev/v1\nkind: Table\nmetadata: {name: NAME-x-t}\n"+
		"spec: {billingMode: PAY_PER_REQUEST, attributeDefinitions: {id: S}, keySchema: {hash: id}, streamSpecification: {streamViewType: NEW_IMAGE}}\n")
	update := func(args with) func(*python, string) {
		return func(h *python, n string) {
			args["UUID"] = h.mapping(n)
			h.do("lambda", "update_event_source_mapping", args)
		}
	}
	return []driftRow{
		{number: "38", name: "mapping-off", deed: "mapping disabled by a person", declared: mapped(""), hand: update(with{"Enabled": false}), want: []wanted{
			{"Trigger/NAME.orders enabled changed", "true", "false", "high", holds, "UpdateEventSourceMapping", false},
		}},
		{number: "39", name: "mapping-lost", deed: "mapping disabled by Lambda, whose queue is gone", declared: function("triggers: {orders: {queue: 'arn:aws:sqs:eu-west-1:111111111111:production-NAME-x-source'}}"),
			before: func(h *python, n string) { h.do("sqs", "create_queue", with{"QueueName": n + "-x-source"}) },
			hand:   func(h *python, n string) { h.do("sqs", "delete_queue", with{"QueueUrl": h.queue(n + "-x-source")}) }, want: []wanted{
				{"Trigger/NAME.orders enabled changed", "true", "false", "high", alerts, "", false},
			}},
		{number: "40", name: "mapping-batch", deed: "batch size and window", declared: mapped(""), hand: update(with{"BatchSize": 100, "MaximumBatchingWindowInSeconds": 5}), want: []wanted{
			{"Trigger/NAME.orders batchSize changed", "10", "100", "medium", reverts, "UpdateEventSourceMapping", false},
			{"Trigger/NAME.orders maximumBatchingWindowInSeconds changed", "0", "5", "medium", reverts, "UpdateEventSourceMapping", false},
		}, writes: []string{"UpdateEventSourceMapping batchSize maximumBatchingWindowInSeconds"}},
		{number: "40", name: "mapping-limit", deed: "concurrency of a mapping", declared: mapped(""), hand: update(with{"ScalingConfig": with{"MaximumConcurrency": 2}}), want: []wanted{
			{"Trigger/NAME.orders scalingConfig.maximumConcurrency changed", "0", "2", "medium", reverts, "UpdateEventSourceMapping", false},
		}, writes: []string{"UpdateEventSourceMapping scalingConfig"}},
		{number: "41", name: "mapping-filter", deed: "filter", declared: mapped(`, filterPatterns: ['{"body":{"kind":["order"]}}']`), hand: update(with{"FilterCriteria": with{"Filters": []with{{"Pattern": `{"body":{"kind":["refund"]}}`}}}}), want: []wanted{
			{"Trigger/NAME.orders filterCriteria.filters changed", `[{"body":{"kind":["order"]}}]`, `[{"body":{"kind":["refund"]}}]`, "medium", reverts, "UpdateEventSourceMapping", false},
		}, writes: []string{"UpdateEventSourceMapping filterCriteria"}},
		{number: "41", name: "mapping-filter-same", deed: "the same filter, written otherwise", declared: mapped(`, filterPatterns: ['{"body":{"kind":["order"],"b":[1]}}']`), hand: update(with{"FilterCriteria": with{"Filters": []with{{"Pattern": `{ "body": { "b": [1], "kind": ["order"] } }`}}}})},
		{number: "42", name: "mapping-moved", deed: "mapping moved to another qualifier", declared: mapped(""), hand: func(h *python, n string) {
			h.do("lambda", "update_event_source_mapping", with{"UUID": h.mapping(n), "FunctionName": n + ":1"})
		}, want: []wanted{
			{"Trigger/NAME.orders functionArn changed", `"arn:aws:lambda:eu-west-1:111111111111:function:production-NAME:live"`, `"arn:aws:lambda:eu-west-1:111111111111:function:production-NAME:1"`, "medium", reverts, "UpdateEventSourceMapping", false},
		}, writes: []string{"UpdateEventSourceMapping"}},
		{number: "42", name: "mapping-arn", deed: "the same function and alias, named by ARN", declared: mapped(""), hand: func(h *python, n string) {
			h.do("lambda", "update_event_source_mapping", with{"UUID": h.mapping(n), "FunctionName": "arn:aws:lambda:eu-west-1:111111111111:function:" + n + ":live"})
		}},
		{number: "43", name: "mapping-gone", deed: "mapping of a queue deleted", declared: mapped(""), hand: func(h *python, n string) {
			h.do("lambda", "delete_event_source_mapping", with{"UUID": h.mapping(n)})
		}, want: []wanted{
			{"Trigger/NAME.orders missing", "", "", "high", reverts, "DeleteEventSourceMapping", false},
		}, writes: []string{"CreateEventSourceMapping batchSize enabled eventSourceArn functionResponseTypes tags"}},
		{number: "43", name: "mapping-stream-gone", deed: "mapping of a stream deleted", declared: streamed, hand: func(h *python, n string) {
			h.do("lambda", "delete_event_source_mapping", with{"UUID": h.mapping(n)})
		}, want: []wanted{
			{"Trigger/NAME.changes missing", "", "", "high", holds, "DeleteEventSourceMapping", false},
		}},
		{number: "44", name: "mapping-extra", deed: "mapping added", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "create_event_source_mapping", with{"FunctionName": n + ":live", "EventSourceArn": "arn:aws:sqs:eu-west-1:111111111111:alices-own"})
		}, want: []wanted{
			{"Trigger/NAME.UUID extra", "", `{"batchSize":10,"enabled":true,"eventSourceArn":"arn:aws:sqs:eu-west-1:111111111111:alices-own","filterCriteria.filters":[],"functionArn":"arn:aws:lambda:eu-west-1:111111111111:function:production-NAME:live","functionResponseTypes":[],"kmsKeyArn":"","maximumBatchingWindowInSeconds":0,"metricsConfig.metrics":[],"scalingConfig.maximumConcurrency":0}`, "medium", alerts, "CreateEventSourceMapping", false},
		}},
	}
}

// mapping is the one mapping onto a function's alias.
func (p *python) mapping(function string) string {
	p.t.Helper()
	out := p.do("lambda", "list_event_source_mappings", with{"FunctionName": function + ":live"})
	list, _ := out["EventSourceMappings"].([]any)
	if len(list) != 1 {
		p.t.Fatalf("%s has %d mappings", function, len(list))
	}
	m, _ := list[0].(map[string]any)
	id, _ := m["UUID"].(string)
	return id
}

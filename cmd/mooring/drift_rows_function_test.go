package main

import "slices"

// driftRows is the catalogue, as far as it concerns kinds that are managed. A
// further kind is one list here.
func driftRows() []driftRow {
	return slices.Concat(functionRows(), outsideRows(), aroundRows(), triggerRows(), roleRows(), queueRows(), foreignRows(), settingRows(), logRows(), alarmRows(), tableRows(), bucketRows(), messagingRows(), workflowRows(), apiRows())
}

func config(args with) func(*python, string) {
	return func(h *python, name string) {
		args["FunctionName"] = name
		h.do("lambda", "update_function_configuration", args)
	}
}

// functionRows are of a function's code and configuration.
func functionRows() []driftRow {
	return []driftRow{
		{number: "1", name: "code", deed: "code edited in place", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "update_function_code", with{"FunctionName": n, "ZipFile": h.zip("checkout-2")})
		}, want: []wanted{
			{"Function/NAME code changed", `"09bb38ea5337896f5a0eb6069779cf0f7fbfcbe1e5cad47795f2b3965ef55f41"`, `"7cb84632186d7358d5a7e09dd2654507dddcaae648a8fc136013d88dbea4c9f0"`, "high", reverts, "UpdateFunctionCode", false},
		}, writes: []string{"UpdateFunctionCode architectures"}},
		{number: "1", name: "code-latest", deed: "code edited in place, callers use `$LATEST`", declared: function("alias: none"), hand: func(h *python, n string) {
			h.do("lambda", "update_function_code", with{"FunctionName": n, "ZipFile": h.zip("checkout-2")})
		}, want: []wanted{
			{"Function/NAME code changed", `"09bb38ea5337896f5a0eb6069779cf0f7fbfcbe1e5cad47795f2b3965ef55f41"`, `"7cb84632186d7358d5a7e09dd2654507dddcaae648a8fc136013d88dbea4c9f0"`, "high", holds, "UpdateFunctionCode", false},
		}},
		{number: "2", name: "code-same", deed: "the same zip uploaded again", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "update_function_code", with{"FunctionName": n, "ZipFile": h.zip("checkout-1")})
		}},
		{number: "4", name: "handler", deed: "another handler", declared: function(), hand: config(with{"Handler": "other.main"}), want: []wanted{
			{"Function/NAME handler changed", `"bootstrap"`, `"other.main"`, "high", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration handler"}},
		{number: "5", name: "runtime", deed: "another runtime", declared: function(), hand: config(with{"Runtime": "provided.al2"}), want: []wanted{
			{"Function/NAME runtime changed", `"provided.al2023"`, `"provided.al2"`, "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration runtime"}},
		{number: "6", name: "memory-up", deed: "memory raised", declared: function(), hand: config(with{"MemorySize": 512}), want: []wanted{
			{"Function/NAME memorySize changed", "128", "512", "high", holds, "UpdateFunctionConfiguration", false},
		}},
		{number: "6", name: "memory-down", deed: "memory lowered", declared: function("memorySize: 512"), hand: config(with{"MemorySize": 128}), want: []wanted{
			{"Function/NAME memorySize changed", "512", "128", "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration memorySize"}},
		{number: "7", name: "timeout-up", deed: "timeout raised", declared: function(), hand: config(with{"Timeout": 60}), want: []wanted{
			{"Function/NAME timeout changed", "3", "60", "high", holds, "UpdateFunctionConfiguration", false},
		}},
		{number: "7", name: "timeout-down", deed: "timeout lowered", declared: function("timeout: 30"), hand: config(with{"Timeout": 5}), want: []wanted{
			{"Function/NAME timeout changed", "30", "5", "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration timeout"}},
		{number: "8", name: "storage", deed: "ephemeral storage", declared: function(), hand: config(with{"EphemeralStorage": with{"Size": 1024}}), want: []wanted{
			{"Function/NAME ephemeralStorage.size changed", "512", "1024", "low", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration ephemeralStorage"}},
		{number: "9", name: "env-added", deed: "variable added", declared: function("environment: {LEVEL: info}"), hand: config(with{"Environment": with{"Variables": with{"LEVEL": "info", "FLAG": driftSecret}}}), want: []wanted{
			{"Function/NAME environment.FLAG extra", "", `"TOKEN"`, "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration environment"}},
		{number: "10", name: "env-changed", deed: "variable changed", declared: function("environment: {LEVEL: info}"), hand: config(with{"Environment": with{"Variables": with{"LEVEL": "debug"}}}), want: []wanted{
			{"Function/NAME environment.LEVEL changed", `"info"`, `"debug"`, "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration environment"}},
		{number: "10", name: "env-secret", deed: "variable changed that looks like a secret", declared: function("environment: {API_KEY: one}"), hand: config(with{"Environment": with{"Variables": with{"API_KEY": driftSecret}}}), want: []wanted{
			{"Function/NAME environment.API_KEY changed", `"TOKEN"`, `"TOKEN"`, "high", holds, "UpdateFunctionConfiguration", false},
		}},
		{number: "11", name: "env-removed", deed: "variable removed", declared: function("environment: {LEVEL: info, OTHER: x}"), hand: config(with{"Environment": with{"Variables": with{"LEVEL": "info"}}}), want: []wanted{
			{"Function/NAME environment.OTHER missing", `"x"`, "", "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration environment"}},
		{number: "13", name: "layer-added", deed: "layer added", declared: function("layers: ['arn:aws:lambda:eu-west-1:111111111111:layer:ours:1']"),
			hand: config(with{"Layers": []string{"arn:aws:lambda:eu-west-1:111111111111:layer:ours:1", "arn:aws:lambda:eu-west-1:111111111111:layer:injected:1"}}), want: []wanted{
				{"Function/NAME layers changed", `["arn:aws:lambda:eu-west-1:111111111111:layer:ours:1"]`, `["arn:aws:lambda:eu-west-1:111111111111:layer:ours:1","arn:aws:lambda:eu-west-1:111111111111:layer:injected:1"]`, "medium", alerts, "UpdateFunctionConfiguration", false},
			}},
		{number: "13", name: "layer-removed", deed: "layer taken away", declared: function("layers: ['arn:aws:lambda:eu-west-1:111111111111:layer:ours:1']"), hand: config(with{"Layers": []string{}}), want: []wanted{
			{"Function/NAME layers changed", `["arn:aws:lambda:eu-west-1:111111111111:layer:ours:1"]`, "[]", "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration layers"}},
		{number: "14", name: "instrumented", deed: "layer, variable and tag by a vendor's instrumenter", declared: function("environment: {LEVEL: info}"), hand: func(h *python, n string) {
			h = h.as("instrumenter")
			h.do("lambda", "update_function_configuration", with{"FunctionName": n, "Environment": with{"Variables": with{"LEVEL": "info", "DD_SITE": "example.com"}},
				"Layers": []string{"arn:aws:lambda:eu-west-1:111111111111:layer:injected:1"}})
			h.do("lambda", "tag_resource", with{"Resource": "arn:aws:lambda:eu-west-1:111111111111:function:" + n, "Tags": with{"dd_sls": "1"}})
		}, who: "assumed-role/Instrumenter/remote", want: []wanted{
			{"Function/NAME environment.DD_SITE extra", "", `"TOKEN"`, "medium", reverts, "UpdateFunctionConfiguration", false},
			{"Function/NAME layers changed", "[]", `["arn:aws:lambda:eu-west-1:111111111111:layer:injected:1"]`, "medium", alerts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration environment"}},
		{number: "15", name: "vpc", deed: "subnets", declared: function(), hand: config(with{"VpcConfig": with{"SubnetIds": []string{"subnet-0123456789abcdef0"}, "SecurityGroupIds": []string{"sg-0123456789abcdef0"}}}), want: []wanted{
			{"Function/NAME vpcConfig.securityGroupIds changed", "[]", `["sg-0123456789abcdef0"]`, "medium", holds, "UpdateFunctionConfiguration", false},
			{"Function/NAME vpcConfig.subnetIds changed", "[]", `["subnet-0123456789abcdef0"]`, "medium", holds, "UpdateFunctionConfiguration", false},
		}},
		{number: "16", name: "dlq", deed: "dead-letter queue taken away", declared: function("deadLetterConfig: {targetArn: 'arn:aws:sqs:eu-west-1:111111111111:alices-own'}"), hand: config(with{"DeadLetterConfig": with{"TargetArn": ""}}), want: []wanted{
			{"Function/NAME deadLetterConfig.targetArn changed", `"arn:aws:sqs:eu-west-1:111111111111:alices-own"`, `""`, "medium", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration deadLetterConfig"}},
		{number: "17", name: "tracing", deed: "tracing switched on", declared: function(), hand: config(with{"TracingConfig": with{"Mode": "Active"}}), want: []wanted{
			{"Function/NAME tracingConfig.mode changed", `"PassThrough"`, `"Active"`, "low", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration tracingConfig"}},
		{number: "18", name: "kms", deed: "another KMS key", declared: function(), hand: config(with{"KMSKeyArn": "arn:aws:kms:eu-west-1:111111111111:key/0123456789abcdef"}), want: []wanted{
			{"Function/NAME kmsKeyArn changed", `""`, `"arn:aws:kms:eu-west-1:111111111111:key/0123456789abcdef"`, "medium", holds, "UpdateFunctionConfiguration", false},
		}},
		{number: "19", name: "logging", deed: "logging format", declared: function(), hand: config(with{"LoggingConfig": with{"LogFormat": "JSON"}}), want: []wanted{
			{"Function/NAME loggingConfig.applicationLogLevel changed", `""`, `"INFO"`, "high", holds, "UpdateFunctionConfiguration", false},
			{"Function/NAME loggingConfig.logFormat changed", `"Text"`, `"JSON"`, "high", holds, "UpdateFunctionConfiguration", false},
			{"Function/NAME loggingConfig.systemLogLevel changed", `""`, `"INFO"`, "high", holds, "UpdateFunctionConfiguration", false},
		}},
		{number: "20", name: "description", deed: "description", declared: function("description: takes orders"), hand: config(with{"Description": "mine"}), want: []wanted{
			{"Function/NAME description changed", `"takes orders"`, `"mine"`, "low", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration description"}},
		{number: "21", name: "architecture", deed: "architecture", declared: function(), hand: func(h *python, n string) {
			h.do("lambda", "update_function_code", with{"FunctionName": n, "ZipFile": h.zip("checkout-1"), "Architectures": []string{"arm64"}})
		}, want: []wanted{
			{"Function/NAME architectures changed", `["x86_64"]`, `["arm64"]`, "medium", reverts, "UpdateFunctionCode", false},
		}, writes: []string{"UpdateFunctionCode architectures"}},
		{number: "22", name: "files", deed: "file system mounted", declared: function(), hand: config(with{"FileSystemConfigs": []with{{"Arn": "arn:aws:elasticfilesystem:eu-west-1:111111111111:access-point/fsap-0123456789abcdef0", "LocalMountPath": "/mnt/x"}}}), want: []wanted{
			{"Function/NAME fileSystemConfigs changed", "[]", `[{"arn":"arn:aws:elasticfilesystem:eu-west-1:111111111111:access-point/fsap-0123456789abcdef0","localMountPath":"/mnt/x"}]`, "medium", holds, "UpdateFunctionConfiguration", false},
		}},
		{number: "23", name: "role-swapped", deed: "another execution role", declared: function(), hand: config(with{"Role": "arn:aws:iam::111111111111:role/other"}), want: []wanted{
			{"Function/NAME role changed", `"arn:aws:iam::111111111111:role/drift"`, `"arn:aws:iam::111111111111:role/other"`, "high", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration role"}},
		{number: "53", name: "snapstart", deed: "SnapStart switched on", declared: function(), hand: config(with{"SnapStart": with{"ApplyOn": "PublishedVersions"}}), want: []wanted{
			{"Function/NAME snapStart.applyOn changed", `"None"`, `"PublishedVersions"`, "low", reverts, "UpdateFunctionConfiguration", false},
		}, writes: []string{"UpdateFunctionConfiguration snapStart"}},
	}
}

package manifest

import "regexp"

// pattern is a named form of text, with words for who got it wrong.
type pattern struct {
	re   *regexp.Regexp
	want string
}

// routeKeys are the keys of an HTTP API's routes: a last part in {name+} takes
// all that is left.
const routeKeys = `^(\$default|(GET|PUT|POST|PATCH|DELETE|HEAD|OPTIONS|ANY) ` +
	`/(([^{}/ ]+|\{[A-Za-z0-9_.-]+\})(/([^{}/ ]+|\{[A-Za-z0-9_.-]+\}))*(/\{[A-Za-z0-9_.-]+\+\})?|\{[A-Za-z0-9_.-]+\+\})?)$`

// patterns holds the forms the platform accepts. Lengths are rules of their
// own, so that the message can say which it was.
var patterns = map[string]*pattern{
	"name":        compilePattern(`^[A-Za-z0-9_-]+$`, "letters, digits, - and _"),
	"environment": compilePattern(`^[A-Za-z][A-Za-z0-9-]*$`, "letters, digits and -, a letter first"),
	"queueName":   compilePattern(`^[A-Za-z0-9_-]+(\.fifo)?$`, "letters, digits, - and _"),
	"tableName":   compilePattern(`^[A-Za-z0-9_.-]+$`, "letters, digits, - and _."),
	"bucketName":  compilePattern(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`, "small letters, digits, . and -, a letter or digit at both ends"),
	"bucketEvent": compilePattern(`^s3:[A-Za-z]+(:(\*|[A-Za-z]+))?$`, "an event of S3, as s3:ObjectCreated:*"),
	"bucketArn":   compilePattern(`^arn:[a-z0-9-]+:s3:::[a-z0-9][a-z0-9.-]*$`, "a bucket's ARN, arn:aws:s3:::NAME"),
	"timestamp":   compilePattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$`, "a time, as 2026-01-31T12:00:00Z"),
	"roleName":    compilePattern(`^[A-Za-z0-9_+=,.@-]+$`, "letters, digits and _+=,.@-"),
	"hintQueue":   compilePattern(`^(arn:[a-z0-9-]+:sqs:[a-z0-9-]+:[0-9]{12}:)?[A-Za-z0-9_-]+$`, "a queue's name, or its ARN"),
	"secretName":  compilePattern(`^[A-Za-z0-9/_+=.@-]+$`, "letters, digits and /_+=.@-"),
	"parameter":   compilePattern(`^[A-Za-z0-9_./-]+$`, "letters, digits and _./-"),
	"alias":       compilePattern(`^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$`, "letters, digits, - and _, not only digits"),
	"variable":    compilePattern(`^[A-Za-z][A-Za-z0-9_]+$`, "letters, digits and _, a letter first, at least two"),
	"label":       compilePattern(`^[A-Za-z0-9]([A-Za-z0-9_./-]*[A-Za-z0-9])?$`, "letters, digits and _./- inside"),
	"value":       compilePattern(`^[A-Za-z_][A-Za-z0-9_.-]*$`, "letters, digits and _.-, a letter first"),
	"arn":         compilePattern(`^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9*-]*:[0-9*]*:.+$`, "an ARN"),
	"deadmanRole": compilePattern(`^(Role/[A-Za-z0-9][A-Za-z0-9_-]*|arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+)$`, "Role/NAME of the repository, or a role's ARN"),
	"schedules":   compilePattern(`^[0-9A-Za-z_.-]{1,64}$`, "letters, digits, _, . and -, at most 64"),
	"roleArn":     compilePattern(`^arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+$`, "a role's ARN, arn:aws:iam::ACCOUNT:role/NAME"),
	"policyArn":   compilePattern(`^arn:[a-z0-9-]+:iam::([0-9]{12}|aws):policy/.+$`, "a policy's ARN"),
	"layerArn":    compilePattern(`^arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$`, "the ARN of a layer's version"),
	"build":       compilePattern(`^arn:[a-z0-9-]+:lambda:[a-z0-9-]+::runtime:.+$`, "the ARN of a build of a runtime, arn:aws:lambda:REGION::runtime:ID"),
	"layerUser":   compilePattern(`^([0-9]{12}|\*)$`, `an account of twelve digits in quotes, or "*"`),
	"account":     compilePattern(`^[0-9]{12}$`, `twelve digits in quotes, as "111111111111"`),
	"orgID":       compilePattern(`^o-[a-z0-9]{10,32}$`, "an organization, o-…"),
	"region":      compilePattern(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`, "a region, as eu-west-1"),
	"digest":      compilePattern(`^sha256:[0-9a-f]{64}$`, "sha256: and 64 hexadecimal digits"),
	"registry":    compilePattern(`^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/[a-z0-9]+(([._-]|__|/)[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`, "registry.example/shop/checkout:1.2"),
	"commit":      compilePattern(`^[0-9a-f]{40}([0-9a-f]{24})?$`, "a whole commit id, 40 hexadecimal digits"),
	"repository":  compilePattern(`^((https?|ssh|file)://[^\s]+|/[^\s]*|[^\s@/:]+@[^\s/:]+:[^\s]+)$`, "https://…, ssh://…, user@host:path, or an absolute path"),
	"hosted":      compilePattern(`^[A-Za-z0-9_.~-]+(/[A-Za-z0-9_.~-]+)+$`, "OWNER/NAME"),
	"person":      compilePattern(`^[^\s:()]+$`, "a name without spaces, colons and brackets"),
	"login":       compilePattern(`^[^\s]+$`, "a login without spaces"),
	"inputPath":   compilePattern(`^/input(/[^/]+)*$`, "a JSON pointer below the input, as /input/commit/author or /input/changes/*/fields/*/after"),
	"bundle":      compilePattern(`^(file:)?[A-Za-z0-9_-][A-Za-z0-9_./-]*$`, "a path in the control branch, or file:PATH below the directory of artifacts"),
	"url":         compilePattern(`^https?://[^\s]+$`, "an http or https URL"),
	"logGroup":    compilePattern(`^[A-Za-z0-9_/.#-]+$`, "letters, digits and _/.#-"),
	"alarmName":   compilePattern(`^[ -~]+$`, "letters, digits and signs"),
	"metricId":    compilePattern(`^[a-z][A-Za-z0-9_]*$`, "letters, digits and _, a small letter first"),
	"stageName":   compilePattern(`^(\$default|[A-Za-z0-9_-]+)$`, "$default, or letters, digits, - and _"),
	"stageVar":    compilePattern(`^[A-Za-z0-9_]+$`, "letters, digits and _"),
	"routeKey":    compilePattern(routeKeys, "a method or ANY and a path, as GET /orders/{id}, or $default"),
	"filterName":  compilePattern(`^[^:*]+$`, "anything without : and *"),
	"sid":         compilePattern(`^[A-Za-z0-9_-]+$`, "letters, digits, - and _"),
	"action":      compilePattern(`^lambda:(\*|[A-Za-z*]+)$`, "an action of Lambda, as lambda:InvokeFunction"),
	"subnet":      compilePattern(`^subnet-[0-9a-z]+$`, "a subnet's id, subnet-…"),
	"group":       compilePattern(`^sg-[0-9a-zA-Z]+$`, "a security group's id, sg-…"),
	"mount":       compilePattern(`^/mnt/[A-Za-z0-9._-]+$`, "a path below /mnt/"),
	"path":        compilePattern(`^(/|/[!-~]+/)$`, "a path that begins and ends in /"),
	"runtime":     compilePattern(`^(nodejs|python|java|dotnet|dotnetcore|go|ruby|provided)[0-9a-z.]*$`, "a Lambda runtime, as provided.al2023"),
	"handler":     compilePattern(`^[^\s]+$`, "a handler without spaces"),
	"branch":      compilePattern(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`, "a branch's name"),
	"folder":      compilePattern(`^[A-Za-z0-9_-][A-Za-z0-9_./-]*$`, "a folder of the repository, without a / first"),
	"ruleName":    compilePattern(`^[A-Za-z0-9._-]+$`, "letters, digits and ._-"),
	"busName":     compilePattern(`^[A-Za-z0-9/._-]+$`, "a bus by its name: letters, digits and /._-"),
	"eventBus":    compilePattern(`^(arn:[a-z0-9-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[A-Za-z0-9/._-]+$`, "a bus's name, or its ARN"),
	"topicArn":    compilePattern(`^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?$`, "a topic's ARN, arn:aws:sns:REGION:ACCOUNT:NAME"),
	"hostPort":    compilePattern(`^([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}$`, "host:port"),
	"mailbox":     compilePattern(`^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9.-]+$`, "a mail address, as mooring@example.com"),
	"targetId":    compilePattern(`^[A-Za-z0-9._-]{1,64}$`, "letters, digits and ._-, at most 64"),
	"ruleTime":    compilePattern(`^(rate|cron)\(.+\)$`, "rate(…) or cron(…)"),
	"schedule":    compilePattern(`^(rate|cron|at)\(.+\)$`, "rate(…), cron(…) or at(…)"),
	"instant":     compilePattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$`, "a time, as 2030-01-01T00:00:00Z"),
	"protocol":    compilePattern(`^(application|firehose|http|lambda|sqs)$`, "application, firehose, http, lambda or sqs"),
	"header":      compilePattern(`^[A-Za-z0-9-]+$`, "a header's name"),
	"headerValue": compilePattern(`^[ -~]+$`, "plain text of one line, or {fromEnv: NAME} or {fromFile: /path} for what is secret"),
	"jsonPath":    compilePattern(`^\$([.\[].*)?$`, "a JSON path, as $.ok"),
	"answerPath":  compilePattern(`^\$(\.[^\[\].*?"'()@]+|\[[0-9]+\])*$`, "a JSON path of names and indexes, as $.ok or $.items[0].id"),
}

func compilePattern(re, want string) *pattern {
	return &pattern{re: regexp.MustCompile(re), want: want}
}

func patternNamed(where, name string) *pattern {
	p, found := patterns[name]
	if !found {
		panic("manifest: " + where + ": no such pattern " + name) // a mistake in this package's types
	}
	return p
}

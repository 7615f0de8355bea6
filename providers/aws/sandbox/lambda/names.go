package lambda

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

const latest = "$LATEST"

// names are the patterns of the API's model.
var (
	functionRef = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$`)
	plainName   = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)
	digits      = regexp.MustCompile(`^[0-9]+$`)
	rootARN     = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*):iam::\d{12}:root$`)
	roleName    = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)
	variable    = regexp.MustCompile(`^[a-zA-Z]([a-zA-Z0-9_])+$`)
	actionName  = regexp.MustCompile(`^(lambda:[*]|lambda:[a-zA-Z]+|[*])$`)
	spaceless   = regexp.MustCompile(`^\S+$`)
	layerRef    = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:([a-zA-Z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+):([0-9]+)$`)
)

// reference is a function as a caller names it: by name, partial or whole ARN,
// with or without a qualifier.
type reference struct{ name, qualifier string }

// parseReference reads the FunctionName member. A qualifier may stand in the
// name, or beside it, but not two different ones.
func (s *Service) parseReference(text, qualifier string) (reference, error) {
	parts := functionRef.FindStringSubmatch(text)
	if parts == nil || len(text) > 256 {
		return reference{}, constraint(text, "functionName", "Member must satisfy regular expression pattern: "+
			`(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`)
	}
	region, account, name, inName := parts[1], parts[2], parts[3], parts[4]
	if region != "" && region != s.opts.Region {
		return reference{}, notFound("Functions from '%s' are not reachable in this region ('%s')", region, s.opts.Region)
	}
	if account != "" && account != s.opts.Account {
		return reference{}, notFound("Function not found: %s", text)
	}
	if len(name) > 64 {
		return reference{}, constraint(name, "functionName", "Member must have length less than or equal to 64")
	}
	if inName != "" && qualifier != "" && inName != qualifier {
		return reference{}, invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	if qualifier == "" {
		qualifier = inName
	}
	if qualifier != "" && !plainName.MatchString(qualifier) && qualifier != latest {
		return reference{}, constraint(qualifier, "qualifier", `Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)`)
	}
	return reference{name: name, qualifier: qualifier}, nil
}

func (s *Service) arn(name string) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", s.opts.Region, s.opts.Account, name)
}

// qualifiedARN is the ARN with its qualifier; unqualified when that is "".
func (s *Service) qualifiedARN(name, qualifier string) string {
	if qualifier == "" {
		return s.arn(name)
	}
	return s.arn(name) + ":" + qualifier
}

func isNumber(qualifier string) bool { return digits.MatchString(qualifier) }

// isAlias reports whether a qualifier can only be an alias's name.
func isAlias(qualifier string) bool {
	return qualifier != "" && qualifier != latest && !isNumber(qualifier)
}

// queueARN reports whether an ARN names an SQS queue.
func queueARN(arn string) bool {
	parts := strings.Split(arn, ":")
	return len(parts) == 6 && parts[2] == "sqs"
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0 // no version has the number 0
	}
	return n
}

package lambda

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// runtimes the API's model knows. Whether they can be executed here is another
// question, asked when the function is invoked.
func knownRuntimes() []string {
	return strings.Fields("nodejs nodejs4.3 nodejs6.10 nodejs8.10 nodejs10.x nodejs12.x nodejs14.x nodejs16.x " +
		"nodejs18.x nodejs20.x nodejs22.x nodejs24.x nodejs4.3-edge java8 java8.al2 java11 java17 java21 java25 " +
		"python2.7 python3.6 python3.7 python3.8 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 " +
		"dotnetcore1.0 dotnetcore2.0 dotnetcore2.1 dotnetcore3.1 dotnet6 dotnet8 dotnet10 go1.x " +
		"ruby2.5 ruby2.7 ruby3.2 ruby3.3 ruby3.4 ruby4.0 provided provided.al2 provided.al2023")
}

// reservedVariables may not be set by a function's configuration.
func reservedVariables() []string {
	return strings.Fields("_HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV " +
		"AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION " +
		"AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME " +
		"AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN " +
		"AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR")
}

const environmentLimit = 4096

// validate checks settings as they would be after a change. Roles and layers
// are looked up only when the change names them: what is in use goes on.
func (s *Service) validate(c settings, said settingsInput) error {
	if said.CapacityProviderConfig != nil {
		return noManagedInstances()
	}
	checks := []func(settings) error{checkRanges, checkWords, checkEnvironment, checkCodeSettings, checkDurable}
	if said.Layers != nil {
		checks = append(checks, s.checkLayers)
	}
	if said.Role != nil || c.Role == "" {
		checks = append(checks, s.checkRole)
	}
	for _, check := range checks {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

// noManagedInstances refuses what only functions on capacity providers have.
func noManagedInstances() error {
	return invalid("The sandbox has no capacity providers, so CapacityProviderConfig and PublishTo are not available.")
}

func checkRanges(c settings) error {
	for _, r := range []struct {
		member          string
		value, min, max int
	}{
		{"timeout", c.Timeout, 1, 900},
		{"memorySize", c.MemorySize, 128, 10240},
		{"ephemeralStorage.size", c.EphemeralStorage, 512, 10240},
	} {
		if r.value < r.min {
			return constraint(r.value, r.member, "Member must have value greater than or equal to "+itoa(r.min))
		}
		if r.value > r.max {
			return constraint(r.value, r.member, "Member must have value less than or equal to "+itoa(r.max))
		}
	}
	if n := utf8.RuneCountInString(c.Description); n > 256 {
		return constraint(c.Description, "description", "Member must have length less than or equal to 256")
	}
	if c.VPC != nil && (len(c.VPC.SubnetIds) > 16 || len(c.VPC.SecurityGroupIds) > 5) {
		return invalid("At most 16 subnets and 5 security groups may be given in VpcConfig.")
	}
	if c.VPC != nil && (len(c.VPC.SubnetIds) == 0) != (len(c.VPC.SecurityGroupIds) == 0) {
		return invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
	}
	if len(c.FileSystems) > 1 {
		return constraint(c.FileSystems, "fileSystemConfigs", "Member must have length less than or equal to 1")
	}
	return nil
}

func checkWords(c settings) error {
	for _, w := range []struct {
		member, value string
		allowed       []string
	}{
		{"tracingConfig.mode", c.Tracing, []string{"Active", "PassThrough"}},
		{"snapStart.applyOn", c.SnapStart, []string{"PublishedVersions", "None"}},
		{"packageType", c.PackageType, []string{"Zip", "Image"}},
		{"loggingConfig.logFormat", c.Logging.LogFormat, []string{"JSON", "Text"}},
		{"loggingConfig.applicationLogLevel", c.Logging.ApplicationLogLevel, []string{"", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}},
		{"loggingConfig.systemLogLevel", c.Logging.SystemLogLevel, []string{"", "DEBUG", "INFO", "WARN"}},
	} {
		if !slices.Contains(w.allowed, w.value) {
			return constraint(w.value, w.member, "Member must satisfy enum value set: ["+strings.Join(w.allowed, ", ")+"]")
		}
	}
	if len(c.Architectures) != 1 || c.Architectures[0] != "x86_64" && c.Architectures[0] != "arm64" {
		return constraint("["+strings.Join(c.Architectures, ", ")+"]", "architectures",
			"Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]")
	}
	if c.DeadLetter != "" && !strings.HasPrefix(c.DeadLetter, "arn:") {
		return constraint(c.DeadLetter, "deadLetterConfig.targetArn", "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()")
	}
	return nil
}

func checkEnvironment(c settings) error {
	if c.Environment == nil {
		return nil
	}
	reserved := reservedVariables()
	var used []string
	for name := range c.Environment.Variables {
		if !variable.MatchString(name) && !strings.HasPrefix(name, "_") {
			return constraint(name, "environment.variables", "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]")
		}
		if slices.Contains(reserved, name) {
			used = append(used, name)
		}
	}
	if len(used) > 0 {
		slices.Sort(used)
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(used, ", "))
	}
	text, err := json.Marshal(c.Environment.Variables)
	if err != nil {
		return err
	}
	if len(text) > environmentLimit {
		// AWS repeats the variables here; so does the sandbox, for clients that must not log them.
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %s", text)
	}
	return nil
}

func checkCodeSettings(c settings) error {
	if c.PackageType == "Image" {
		if c.Runtime != "" || c.Handler != "" || len(c.Layers) > 0 {
			return invalid("Please don't provide Handler or Runtime or Layer when the intended function packageType is Image.")
		}
		return nil
	}
	if c.Runtime == "" || c.Handler == "" {
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if !slices.Contains(knownRuntimes(), c.Runtime) {
		return invalid("Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] or be a valid ARN",
			c.Runtime, strings.Join(knownRuntimes(), ", "))
	}
	if len(c.Handler) > 128 {
		return constraint(c.Handler, "handler", "Member must have length less than or equal to 128")
	}
	if !spaceless.MatchString(c.Handler) {
		return constraint(c.Handler, "handler", `Member must satisfy regular expression pattern: [^\s]+`)
	}
	if !c.Image.empty() {
		return invalid("ImageConfig parameter is only supported for functions created with container images.")
	}
	return nil
}

func (s *Service) checkLayers(c settings) error {
	if len(c.Layers) > 5 {
		return invalid("Cannot reference more than 5 layers.")
	}
	seen := map[string]bool{}
	for _, arn := range c.Layers {
		parts := layerRef.FindStringSubmatch(arn)
		if parts == nil {
			return constraint("["+arn+"]", "layers", "Member must satisfy constraint: [Member must satisfy regular expression pattern: arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+]")
		}
		region, account, name, version := parts[1], parts[2], parts[3], parts[4]
		if region != s.opts.Region {
			return invalid("Layers are not in the same region as the function. Layers are expected to be in region %s.", s.opts.Region)
		}
		if seen[account+name] {
			return invalid("Two different versions of the same layer are not allowed to be referenced in the same function. %s is one of them.", arn)
		}
		seen[account+name] = true
		if account == s.opts.Account && s.offered(name, number(version)) == nil {
			return invalid("Layer version %s does not exist.", arn)
		}
	}
	return nil
}

func (s *Service) checkRole(c settings) error {
	if !roleName.MatchString(c.Role) {
		return constraint(c.Role, "role", `Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`)
	}
	if r := s.opts.Roles; r != nil && (!r.Exists(c.Role) || !r.AssumableBy(c.Role, "lambda.amazonaws.com")) {
		return invalid("The role defined for the function cannot be assumed by Lambda.")
	}
	return nil
}

func checkDurable(c settings) error {
	for member, raw := range map[string]json.RawMessage{"durableConfig": c.Durable, "tenancyConfig": c.Tenancy} {
		var object map[string]any
		if raw != nil && json.Unmarshal(raw, &object) != nil {
			return constraint(string(raw), member, "Member must be a structure")
		}
	}
	return nil
}

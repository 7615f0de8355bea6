package main

deny[{"msg": msg}] {
	some name
	fn := input.Resources[name]
	fn.Type == "AWS::Lambda::Function"
	fn.Properties.MemorySize > 1024
	msg := sprintf("%s: %d MB is more than 1024", [name, fn.Properties.MemorySize])
}

deny[{"msg": msg}] {
	fn := input.Resources[name]
	fn.Type == "AWS::Lambda::Function"
	not fn.Properties.DeadLetterConfig
	msg := sprintf("%s has no dead letter queue", [name])
}

warn_timeout[msg] {
	fn := input.Resources[name]
	fn.Properties.Timeout > 60
	msg := sprintf("%s may run for %d seconds", [name, fn.Properties.Timeout])
}

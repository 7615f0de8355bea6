package policy.admission.lambda

deny contains {"msg": msg} if {
	some name
	fn := input.Resources[name]
	fn.Type == "AWS::Lambda::Function"
	fn.Properties.MemorySize > 1024
	msg := sprintf("%s: %d MB is more than 1024", [name, fn.Properties.MemorySize])
}

deny contains {"msg": msg} if {
	fn := input.Resources[name]
	fn.Type == "AWS::Lambda::Function"
	not fn.Properties.DeadLetterConfig
	msg := sprintf("%s has no dead letter queue", [name])
}

warn_timeout contains msg if {
	fn := input.Resources[name]
	fn.Properties.Timeout > 60
	msg := sprintf("%s may run for %d seconds", [name, fn.Properties.Timeout])
}

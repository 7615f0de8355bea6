package plan

import "slices"

// judgeWorkflow: putting a definition back harms no execution that runs, and
// what is published serves. Logging is often raised to find an error.
func judgeWorkflow(drift drifted) judgement {
	switch d := drift.diff; member(d.path) {
	case "definition", "roleArn":
		return revertHigh
	case "loggingConfiguration":
		switch {
		case d.path == "loggingConfiguration.level" && verbosity(d.l) > verbosity(d.d):
			return holdHigh
		case d.path == "loggingConfiguration.destinations" && d.d == `""`: // what goes with a level
			return holdHigh
		}
	case "encryptionConfiguration":
		return holdMedium
	case "tags", "tracingConfiguration":
		return revertLow
	}
	return revertMedium
}

// verbosity orders the levels of a state machine's log.
func verbosity(level string) int {
	return slices.Index([]string{`"FATAL"`, `"ERROR"`, `"ALL"`}, level)
}

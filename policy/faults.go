package policy

// OwnFaults are the kinds of events that tell of Mooring's own faults. No
// policy can mute them.
func OwnFaults() []string {
	return []string{
		"policy_error", "journal_error", "credentials_error", "source_error",
		"survey_error", "outbox_error", "lease_lost", "daemon_error",
		"environment_error", "pipeline_invalid", "host_error",
	}
}
